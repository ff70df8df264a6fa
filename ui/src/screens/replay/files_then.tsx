import { useQuery } from '@tanstack/react-query'
import { ArrowLeft, ExternalLink } from 'lucide-react'
import { lazy, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { Refused } from '@/data/problem'
import { Button } from '@/kit/button'
import { bytes } from '@/kit/figures'
import { Empty, Loading, ProblemState } from '@/kit/states'
import { currentFiles, type Timeline } from '@/live/fold'
import { FileName } from '@/viewers/file_name'
import type { FileRef } from '@/viewers/use_bytes'

const FileView = lazy(() => import('@/viewers/file_view'))
const COLUMNS = 'id, filename, file_path, file_size, mime_type, file_hash, version, is_stored, kind'

/** The files as they were at the moment, each in the version of then. */
export function FilesThen({
  taskId,
  timeline,
  openName,
  onOpen,
}: {
  taskId: string
  timeline: Timeline
  /** By its name, so that it changes with the moment. */
  openName: string | null
  onOpen: (name: string | null) => void
}) {
  const { t } = useTranslation('replay')
  const files = currentFiles(timeline)
  const open = openName === null ? undefined : files.find((file) => file.filename === openName)
  if (openName !== null)
    return (
      <section className="files-then" aria-label={t('filesThen')}>
        <Button small look="ghost" icon={<ArrowLeft size={16} aria-hidden />} onClick={() => onOpen(null)}>
          {t('allFiles')}
        </Button>
        {open ? (
          <OneThen key={open.id} taskId={taskId} id={open.id} />
        ) : (
          <Empty title={t('notThen', { name: openName })} />
        )}
      </section>
    )
  return (
    <section className="files-then" aria-label={t('filesThen')}>
      {files.length === 0 ? (
        <Empty title={t('noFiles')} />
      ) : (
        <ul className="files-then-list">
          {files.map((file) => (
            <li key={file.filename}>
              <button type="button" className="file-then" onClick={() => onOpen(file.filename)}>
                <FileName name={file.filename} />
                <span className="file-then-facts">
                  v{file.version} · {bytes(file.size)}
                </span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

function OneThen({ taskId, id }: { taskId: string; id: string }) {
  const { t } = useTranslation('replay')
  const { supabase } = useServed()
  const { data, error, isPending, refetch } = useQuery({
    queryKey: ['replay', 'file', id],
    staleTime: Infinity,
    queryFn: async () => {
      const [row] = await ask(supabase.from('files').select(COLUMNS).eq('id', id))
      if (!row) throw new Refused('notFound', '')
      return row as unknown as FileRef & { kind: string }
    },
  })
  if (isPending) return <Loading />
  if (!data) return <ProblemState error={error} onRetry={() => void refetch()} />
  return (
    <>
      <div className="file-then-head">
        <h3>
          <FileName name={data.filename} /> <span className="file-then-facts">v{data.version}</span>
        </h3>
        <Link href={`/tasks/${taskId}/files/${id}`}>
          {t('openFile')} <ExternalLink size={12} aria-hidden />
        </Link>
      </div>
      {data.kind === 'file' ? (
        <Suspense fallback={<Loading />}>
          <FileView file={data} />
        </Suspense>
      ) : (
        <Empty title={t('noContent')} />
      )}
    </>
  )
}
