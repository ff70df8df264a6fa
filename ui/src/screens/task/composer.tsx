import { CircleHelp, SendHorizontal } from 'lucide-react'
import { useEffect, useLayoutEffect, useRef, type Ref } from 'react'
import { useTranslation } from 'react-i18next'
import { useDraft } from '@/data/drafts'
import { Button } from '@/kit/button'
import { Markdown } from '@/kit/markdown'
import { useNotices } from '@/kit/notices'
import { ProblemLine } from '@/kit/states'
import { ENDED, type Timeline } from '@/live/fold'
import { useAccess } from '@/session/session'
import { useAnswer } from './actions'
import { openQuestion } from './rows'
import { useCallRow } from './row_store'

/** Where a person writes to the agent; while it asks something, its question stands above. */
export function Composer({
  taskId,
  timeline,
  isMine,
  onSend,
  ref,
}: {
  taskId: string
  timeline: Timeline
  /** Null until it is known. */
  isMine: boolean | null
  onSend: () => void
  ref: Ref<HTMLTextAreaElement>
}) {
  const { t } = useTranslation('task')
  const { data: access } = useAccess()
  const question = openQuestion(timeline)
  if (ENDED.has(timeline.status)) return <p className="composer-note">{t('composer.ended')}</p>
  if (isMine === false || access?.can_write === false)
    return (
      <>
        {question && <Question timeline={timeline} callId={question} />}
        <p className="composer-note">{t('composer.notYours')}</p>
      </>
    )
  return (
    <div className="composer">
      {question && <Question timeline={timeline} callId={question} />}
      <Box ref={ref} taskId={taskId} isAnswer={!!question} isPaused={timeline.status === 'paused'} onSend={onSend} />
    </div>
  )
}

function Question({ timeline, callId }: { timeline: Timeline; callId: string }) {
  const { t } = useTranslation('task')
  const row = useCallRow(timeline.calls[callId]!)
  const question = row?.input_parameters.question
  return (
    <section className="question" aria-label={t('composer.asks')}>
      <CircleHelp size={18} aria-hidden />
      <div>
        <h2>{t('composer.asks')}</h2>
        <div className="question-text">{typeof question === 'string' && <Markdown text={question} />}</div>
      </div>
    </section>
  )
}

function Box({
  taskId,
  isAnswer,
  isPaused,
  onSend,
  ref,
}: {
  taskId: string
  isAnswer: boolean
  isPaused: boolean
  onSend: () => void
  ref: Ref<HTMLTextAreaElement>
}) {
  const { t } = useTranslation('task')
  const { tell } = useNotices()
  const [text, setText, clear] = useDraft(`task.${taskId}.message`)
  const sent = useRef('')
  const now = useRef(text)
  useEffect(() => {
    now.current = text
  }, [text])
  const answer = useAnswer(taskId, () => {
    tell(t('composer.sent'))
    // What was typed on meanwhile stays.
    if (now.current.trim() === sent.current) clear()
  })
  const send = () => {
    if (!text.trim() || answer.isPending) return
    sent.current = text.trim()
    answer.mutate(text.trim())
    onSend()
  }
  const own = useRef<HTMLTextAreaElement>(null)
  useLayoutEffect(() => {
    const box = own.current
    if (!box) return
    box.style.height = 'auto'
    box.style.height = `${Math.min(box.scrollHeight + 2, 220)}px`
  }, [text])
  const label = t(isAnswer ? 'composer.answer' : 'composer.label')
  return (
    <form
      className="composer-form"
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      <ProblemLine error={answer.error} />
      <div className="composer-line">
        <textarea
          ref={(element) => {
            own.current = element
            if (typeof ref === 'function') ref(element)
            else if (ref) ref.current = element
          }}
          className="control composer-box"
          aria-label={label}
          placeholder={isAnswer ? label : t('composer.placeholder')}
          rows={1}
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) send()
            if (event.key === 'Escape') event.currentTarget.blur()
          }}
        />
        <Button
          type="submit"
          look="primary"
          busy={answer.isPending}
          disabled={!text.trim()}
          icon={<SendHorizontal size={16} aria-hidden />}
        >
          {t('composer.send')}
        </Button>
      </div>
      <p className="composer-hint">
        {!isAnswer && t(isPaused ? 'composer.readsPaused' : 'composer.reads')} {t('composer.hint')}
      </p>
    </form>
  )
}
