import { lazy, Suspense, useState, type ReactNode } from 'react'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { Badge } from '@/kit/status'
import type { FileRef } from '@/viewers/use_bytes'
import { LongOutput } from './long_output'
import { listOf, textOf, type ViewProps } from './view'
import { WebLink } from './web_link'

const FileView = lazy(() => import('@/viewers/file_view'))

/** A page of the web as the browser has it: what was done, where that is, how it looks, what it says and offers. */
export default function Page({ taskId, call, args, data, content, files }: ViewProps) {
  const { t } = useTranslation('task')
  const page = partsOf(content ?? '')
  const done = doneWith(args)
  const status = typeof data?.status === 'number' ? data.status : null
  const address = textOf(data?.url) || textOf(args.url)
  const [open, setOpen] = useState(false)
  const picture = files.find((file) => /\.(png|jpe?g|webp)$/i.test(file.filename))
  return (
    <div className="page-view">
      <dl className="bench-list">
        {done && (
          <div>
            <dt>{t('workbench.element')}</dt>
            <dd>{done}</dd>
          </div>
        )}
        {address && (
          <div>
            <dt>{t('workbench.address')}</dt>
            <dd>
              <WebLink address={address} />{' '}
              {status !== null && status > 0 && <Badge tone={status < 400 ? 'good' : 'bad'}>{String(status)}</Badge>}
            </dd>
          </div>
        )}
        {page.title && (
          <div>
            <dt>{t('workbench.title')}</dt>
            <dd>{page.title}</dd>
          </div>
        )}
      </dl>
      {page.told && <p className="page-told">{page.told}</p>}
      {picture && <Picture taskId={taskId} fileId={picture.id} />}
      {page.text && (
        <LongOutput
          text={page.text}
          label={t('workbench.text')}
          name={`page-${call.id.slice(0, 8)}.txt`}
          shownAs={withElements}
        />
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

/** The element that was used, and what was given to it. */
function doneWith(args: Record<string, unknown>): string {
  const element = typeof args.element === 'number' ? `[${args.element}]` : ''
  const given = [textOf(args.text), ...listOf(args.options), ...listOf(args.files), textOf(args.press)]
  return [element, ...given.filter((value) => typeof value === 'string' && value)].filter(Boolean).join(' · ')
}

const ELEMENT = /\[(\d+)\] ([a-z][a-z ]*?)(?: "([^"\n]*)")?(?: <(https?:\/\/[^>\s]+)>)?(?=\s|$)/g

/** Elements as they are numbered, set off from the text around them. */
function withElements(text: string): ReactNode[] {
  const pieces: ReactNode[] = []
  let from = 0
  for (const match of text.matchAll(ELEMENT)) {
    const [whole, number, kind, name, address] = match
    pieces.push(
      text.slice(from, match.index),
      <span key={match.index} className="page-element">
        <span className="page-number">{number}</span> {kind}{' '}
        {address ? <WebLink address={address}>{name || address}</WebLink> : <strong>{name}</strong>}
      </span>,
    )
    from = match.index + whole.length
  }
  return [...pieces, text.slice(from)]
}

const HEAD = /(?:^|\n\n)URL: [^\n]*\ntitle: ([^\n]*)\nstatus: [^\n]*\n(?:(?:tab|window|part): [^\n]*\n)*\n*/

/** What the model read, taken apart: what happened, the title, the text and, in what older runs recorded, the links. */
export function partsOf(content: string): { told: string; title: string; text: string; links: [string, string][] } {
  const head = HEAD.exec(content)
  if (!head) return { told: '', title: '', text: content, links: [] }
  const rest = content.slice(head.index + head[0].length)
  const at = rest.lastIndexOf('\n\nlinks:\n')
  const links = at < 0 ? [] : [...rest.slice(at).matchAll(/^- (.*): (https?:\/\/\S+)$/gm)]
  return {
    told: content.slice(0, head.index),
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
