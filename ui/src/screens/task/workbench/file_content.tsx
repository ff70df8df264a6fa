import { useQuery } from '@tanstack/react-query'
import { lazy } from 'react'
import { useTranslation } from 'react-i18next'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { languageOf } from '@/viewers/languages'
import { useFetchFile, type FileRef } from '@/viewers/use_bytes'
import { LongOutput } from './long_output'
import { textOf, type ViewProps } from './view'

const TextView = lazy(() => import('@/viewers/text_view'))
const FileView = lazy(() => import('@/viewers/file_view'))
const TextDiff = lazy(() => import('@/viewers/diff'))

// Colours for more than this are for the screen of files.
const COLOURED = 400_000
const COMPARED = 500_000

/** A file's text as a call read or wrote it, and what became of the version before. */
export default function FileContent(props: ViewProps) {
  const { t } = useTranslation('task')
  const { call, args, content, data } = props
  const path = textOf(args.path)
  if (call.tool === 'file_write') return <Written {...props} path={path} />
  if (content === null) return null
  // The note about the rest of the file is the tool's, not the file's.
  const note = /\n(\[lines \d+ to \d+ of \d+[^\]\n]*\])$/.exec(content)
  const text = note ? content.slice(0, note.index) : content
  const kind = textOf(data?.kind)
  if (kind === 'picture') return <Pictures {...props} />
  return (
    <>
      <FileText text={text} path={kind === '' || kind === 'text' ? path : ''} label={path || t('workbench.content')} />
      {note && <p className="bench-quiet">{note[1]!.slice(1, -1)}</p>}
    </>
  )
}

/** The copies that were made for the model to see. */
function Pictures({ call, content }: ViewProps) {
  const { supabase } = useServed()
  const { data } = useQuery({
    queryKey: ['call', call.id, 'pictures', call.status],
    staleTime: Infinity,
    queryFn: async () =>
      (await ask(
        supabase
          .from('files')
          .select('id, filename, file_path, file_size, mime_type, file_hash, version, is_stored')
          .eq('execution_id', call.id)
          .like('filename', '.outputs/%')
          .limit(4),
      )) as unknown as FileRef[],
  })
  return (
    <>
      {data?.map((file) => (
        <FileView key={file.id} file={file} />
      ))}
      {content && <p className="bench-quiet bench-said">{content.slice(0, 4_000)}</p>}
    </>
  )
}

function Written({ taskId, call, args, files, path }: ViewProps & { path: string }) {
  const { t } = useTranslation('task')
  const text = textOf(args.content)
  const file = files.find((one) => one.filename === path.replace(/^(\.\/)+/, ''))
  const before = usePrevious(
    taskId,
    path.replace(/^(\.\/)+/, ''),
    call.status === 'completed' ? (file?.version ?? 0) : 0,
  )
  const after = args.append === true ? (before ?? '') + text : text
  return (
    <>
      {args.append === true && <p className="bench-quiet">{t('workbench.append')}</p>}
      {before !== null && file && text.length <= COMPARED && (
        <section className="bench-part">
          <h4>{t('workbench.changes', { version: file.version - 1 })}</h4>
          <TextDiff before={before} after={after} language={languageOf(path) ?? undefined} />
        </section>
      )}
      <section className="bench-part">
        <h4>{t('workbench.content')}</h4>
        <FileText text={text} path={path} label={path || t('workbench.content')} />
      </section>
    </>
  )
}

export function FileText({ text, path, label }: { text: string; path: string; label: string }) {
  if (text.length > COLOURED)
    return <LongOutput text={text} label={label} name={`${path.split('/').at(-1) || 'text'}.txt`} plain />
  return <TextView text={text} language={path ? languageOf(path) : null} label={label} />
}

/** The text of the version before; null when there is none, or none to compare. */
function usePrevious(taskId: string, path: string, version: number): string | null {
  const { supabase } = useServed()
  const fetchFile = useFetchFile()
  const { data } = useQuery({
    queryKey: ['task', taskId, 'previous', path, version],
    enabled: version > 1,
    staleTime: Infinity,
    queryFn: async ({ signal }) => {
      const file = (await ask(
        supabase
          .from('files')
          .select('id, filename, file_path, file_size, mime_type, file_hash, version, is_stored, kind')
          .eq('task_id', taskId)
          .eq('filename', path)
          .eq('version', version - 1)
          .maybeSingle(),
      )) as unknown as (FileRef & { kind: string }) | null
      if (!file || file.kind !== 'file' || file.file_size > COMPARED || file.is_stored === false) return null
      const { blob } = await fetchFile(file, signal)
      const bytes = new Uint8Array(await blob.arrayBuffer())
      return bytes.includes(0) ? null : new TextDecoder().decode(bytes)
    },
  })
  return data ?? null
}
