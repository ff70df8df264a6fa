import { useQuery } from '@tanstack/react-query'
import { ArrowLeft } from 'lucide-react'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import { useServed } from '@/data/client'
import { Refused } from '@/data/problem'
import { ScreenHead } from '@/kit/card'
import { Empty, Loading, ProblemLine, ProblemState } from '@/kit/states'
import { StatusBadge } from '@/kit/status'
import { useSession } from '@/session/session'
import { DownloadAll } from './download_all'
import { FilePane } from './file_pane'
import { FileTree } from './file_tree'
import { pathsOf } from './grouped'
import { taskFilesQuery } from './rows'

/** A task's files: what was given, what was made, what was removed; and beside them one of them, in any of its versions. */
export function TaskFilesScreen({ taskId, fileId }: { taskId: string; fileId: string | null }) {
  const { t } = useTranslation('files')
  const { supabase } = useServed()
  const { session } = useSession()
  const { data, error, isPending, refetch } = useQuery(taskFilesQuery(supabase, session?.user.id, taskId))
  const paths = useMemo(() => pathsOf(data?.versions ?? []), [data])
  if (!data)
    return (
      <>
        <ScreenHead title={t('title')} />
        {isPending ? <Loading /> : <ProblemState error={error} onRetry={() => void refetch()} />}
      </>
    )
  const open = fileId ? paths.find((path) => path.versions.some((version) => version.id === fileId)) : undefined
  return (
    <>
      <ScreenHead
        title={t('filesOf', { title: data.title })}
        actions={<DownloadAll paths={paths.filter((path) => !path.isRemoved)} />}
      >
        <p className="files-of">
          <Link href={`/tasks/${taskId}`} className="back-link">
            <ArrowLeft size={16} aria-hidden />
            {t('toTask')}
          </Link>
          <StatusBadge status={data.status} />
        </p>
      </ScreenHead>
      {error && <ProblemLine error={error} />}
      {data.versions.length === 0 ? (
        <Empty title={t('noFilesYet')}>
          <p>{t('noFilesYetText')}</p>
        </Empty>
      ) : (
        <div className={`files-split ${fileId ? 'files-one' : ''}`}>
          <FileTree taskId={taskId} paths={paths} open={open?.filename ?? null} />
          {fileId === null ? (
            <div className="files-none">
              <Empty title={t('chooseOne')} />
            </div>
          ) : open ? (
            <FilePane
              key={open.filename}
              taskId={taskId}
              path={open}
              version={open.versions.find((version) => version.id === fileId)!}
            />
          ) : (
            <ProblemState error={new Refused('notFound', '')} />
          )}
        </div>
      )}
    </>
  )
}
