import { lazy, Suspense, useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { Badge } from '@/kit/status'
import type { FileRef } from '@/viewers/use_bytes'
import { LongOutput } from './long_output'
import { textOf, type ViewProps } from './view'
import { WebLink } from './web_link'

const FileView = lazy(() => import('@/viewers/file_view'))

/** A page of the web as the browser found it: where, what it is called, what it says, and where it leads. */
export default function Page({ taskId, call, args, data, content, files }: ViewProps) {
  const { t } = useTranslation('task')
  const page = partsOf(content ?? '')
  const status = typeof data?.status === 'number' ? data.status : null
  const [open, setOpen] = useState(false)
  const picture = files.find((file) => /\.(png|jpe?g|webp)$/i.test(file.filename))
  return (
    <div className="page-view">
      <dl className="bench-list">
        <div>
          <dt>{t('workbench.address')}</dt>
          <dd>
            <WebLink address={textOf(data?.url) || textOf(args.url)} />{' '}
            {status !== null && <Badge tone={status < 400 ? 'good' : 'bad'}>{String(status)}</Badge>}
          </dd>
        </div>
        {page.title && (
          <div>
            <dt>{t('workbench.title')}</dt>
            <dd>{page.title}</dd>
          </div>
        )}
      </dl>
      {picture && <Picture taskId={taskId} fileId={picture.id} />}
      {page.text && (
        <LongOutput text={page.text} label={t('workbench.text')} name={`page-${call.id.slice(0, 8)}.txt`} plain />
      )}
      {page.links.length > 0 && (
        <section className="bench-part">
          <button type="button" className="text-button" aria-expanded={open} onClick={() => setOpen(!open)}>
            {t('workbench.links', { count: page.links.length })}
          </button>
          {open && (
            <ul className="bench-links">
              {page.links.map(([label, address], index) => (
                <li key={index}>
                  <WebLink address={address}>{label}</WebLink>
                </li>
              ))}
            </ul>
          )}
        </section>
      )}
    </div>
  )
}

/** What the model read, taken apart: the head's lines, the text, and the links at the end. */
export function partsOf(content: string): { title: string; text: string; links: [string, string][] } {
  const head = /^URL: [^\n]*\ntitle: ([^\n]*)\nstatus: [^\n]*\n*/.exec(content)
  if (!head) return { title: '', text: content, links: [] }
  const rest = content.slice(head[0].length)
  const at = rest.lastIndexOf('\n\nlinks:\n')
  const links = at < 0 ? [] : [...rest.slice(at).matchAll(/^- (.*): (https?:\/\/\S+)$/gm)]
  return {
    title: head[1]!,
    text: at < 0 ? rest : rest.slice(0, at),
    links: links.map((match) => [match[1]!, match[2]!]),
  }
}

export function Picture({ taskId, fileId }: { taskId: string; fileId: string }) {
  const { supabase } = useServed()
  const { data: file } = useQuery({
    queryKey: ['task', taskId, 'file', fileId],
    staleTime: Infinity,
    queryFn: async () =>
      (await ask(
        supabase
          .from('files')
          .select('id, filename, file_path, file_size, mime_type, file_hash, version, is_stored')
          .eq('id', fileId)
          .maybeSingle(),
      )) as unknown as FileRef | null,
  })
  return file ? (
    <Suspense fallback={null}>
      <FileView file={file} />
    </Suspense>
  ) : null
}
