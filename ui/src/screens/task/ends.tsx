import { useQuery } from '@tanstack/react-query'
import { Bot, CircleCheck, CircleSlash, CircleX } from 'lucide-react'
import { useDeferredValue } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { CopyButton } from '@/kit/copy'
import { bytes } from '@/kit/figures'
import { Markdown } from '@/kit/markdown'
import { currentFiles, type Timeline } from '@/live/fold'
import type { Streaming } from '@/live/use_timeline'
import { DownloadButton } from '@/viewers/download_button'
import { FileName } from '@/viewers/file_name'
import type { FileRef } from '@/viewers/use_bytes'
import { resultOf, type TaskRow } from './data'
import { LongMarkdown } from './long_text'

/** The answer while it is being given: its place is taken by the message that is recorded. */
export function Answering({ streaming }: { streaming: Streaming }) {
  const { t } = useTranslation('task')
  const content = useDeferredValue(streaming.content)
  const thinking = useDeferredValue(streaming.thinking)
  return (
    <article className="said answering" aria-busy="true">
      <div className="said-head">
        <Bot size={16} aria-hidden />
        <h3>{t(content ? 'timeline.answering' : 'timeline.thinking')}</h3>
        <span className="pulse" aria-hidden />
      </div>
      {!content && thinking && <p className="thinking-text">{thinking.slice(-1_500)}</p>}
      {/* Drawn anew at every piece: a long one stays plain until it is whole. */}
      {content &&
        (content.length < 6_000 ? <Markdown text={content} /> : <p className="prose plain">{content.slice(-6_000)}</p>)}
    </article>
  )
}

/** How it ended: the answer with its files, or why there is none. */
export function End({ timeline, task }: { timeline: Timeline; task: TaskRow | null }) {
  const { t } = useTranslation('task')
  if (timeline.status === 'cancelled')
    return (
      <article className="end end-quiet">
        <div className="said-head">
          <CircleSlash size={18} aria-hidden />
          <h2>{t('timeline.cancelled')}</h2>
        </div>
        {timeline.errorMessage && <p>{timeline.errorMessage}</p>}
      </article>
    )
  if (timeline.status === 'failed')
    return (
      <article className="end end-bad">
        <div className="said-head">
          <CircleX size={18} aria-hidden />
          <h2>{t('timeline.failed')}</h2>
        </div>
        <p className="end-why">{timeline.errorMessage ?? task?.error_message}</p>
      </article>
    )
  return <Answer timeline={timeline} task={task} />
}

function Answer({ timeline, task }: { timeline: Timeline; task: TaskRow | null }) {
  const { t } = useTranslation('task')
  // The row may have been read before the task ended.
  const isRead = task?.status === 'completed'
  const { answer, files } = resultOf(task)
  return (
    <article className="end end-good">
      <div className="said-head">
        <CircleCheck size={18} aria-hidden />
        <h2>{t('timeline.answer')}</h2>
        {answer && <CopyButton text={answer} />}
      </div>
      {isRead && (answer ? <LongMarkdown text={answer} short={20_000} /> : <p>{t('timeline.noWords')}</p>)}
      {isRead && files.length > 0 && <ResultFiles taskId={task.id} timeline={timeline} names={files} />}
    </article>
  )
}

function ResultFiles({ taskId, timeline, names }: { taskId: string; timeline: Timeline; names: string[] }) {
  const { t } = useTranslation('task')
  const { supabase } = useServed()
  const known = currentFiles(timeline)
  const ids = names.map((name) => known.find((file) => file.filename === name)?.id).filter((id) => id !== undefined)
  const { data } = useQuery({
    queryKey: ['task', taskId, 'result', ids],
    enabled: ids.length > 0,
    staleTime: 300_000,
    queryFn: async () =>
      (await ask(
        supabase
          .from('files')
          .select('id, filename, file_path, file_size, mime_type, file_hash, version, is_stored')
          .in('id', ids),
      )) as unknown as FileRef[],
  })
  return (
    <section aria-label={t('timeline.resultFiles')}>
      <h3 className="end-files-title">{t('timeline.resultFiles')}</h3>
      <ul className="end-files">
        {names.map((name) => {
          const file = data?.find((one) => one.filename === name)
          return (
            <li key={name}>
              {file ? (
                <>
                  <Link href={`/tasks/${taskId}/files/${file.id}`}>
                    <FileName name={name} />
                  </Link>
                  <span className="end-size">{bytes(file.file_size)}</span>
                  <DownloadButton file={file} iconOnly />
                </>
              ) : (
                <FileName name={name} />
              )}
            </li>
          )
        })}
      </ul>
    </section>
  )
}
