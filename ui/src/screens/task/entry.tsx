import {
  Bell,
  Bot,
  CircleAlert,
  CircleStop,
  FileMinus,
  FilePlus,
  Flag,
  ListChecks,
  UserRound,
  UserRoundCheck,
  type LucideIcon,
} from 'lucide-react'
import { memo, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import { absolute } from '@/kit/figures'
import { language } from '@/i18n'
import { Markdown } from '@/kit/markdown'
import type { Call, Entry } from '@/live/fold'
import { FileName } from '@/viewers/file_name'
import { CallCard } from './call_card'
import { useFacts } from './facts'
import { LongMarkdown, Thinking } from './long_text'
import { useMessageRow } from './row_store'

interface EntryProps {
  entry: Entry
  /** The call that it is about. */
  call: Call | undefined
  /** The messages that hold results of its step. */
  results: string[] | undefined
  isOpened: boolean
  /** Of a task that is completed: words that stand in the answer already. */
  answer: unknown
}

/** One line of the timeline. */
export const EntryView = memo(function EntryView({ entry, call, results, isOpened, answer }: EntryProps) {
  switch (entry.type) {
    case 'message':
      return <Said entry={entry} answer={answer} />
    case 'call':
      return call ? <CallCard call={call} at={entry.at} results={results} isOpened={isOpened} /> : null
    case 'plan':
      return <PlanLine entry={entry} />
    case 'notice':
      return <Notice entry={entry} />
    case 'file':
      return <FileLine entry={entry} />
    case 'decision':
      return <DecisionLine entry={entry} call={call} />
    case 'status':
      return <StatusLine entry={entry} />
    case 'control':
      return <ControlLine entry={entry} />
  }
})

type Of<Kind extends Entry['type']> = Extract<Entry, { type: Kind }>

// Made once: making one takes longer than drawing a line.
const clocks = new Map<string, { time: Intl.DateTimeFormat; whole: Intl.DateTimeFormat }>()

function clockOf(tag: string) {
  const known = clocks.get(tag)
  if (known) return known
  const made = {
    time: new Intl.DateTimeFormat(tag, { timeStyle: 'medium' }),
    whole: new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeStyle: 'medium' }),
  }
  clocks.set(tag, made)
  return made
}

export function Time({ at }: { at: string }) {
  const time = new Date(at)
  const clock = clockOf(language())
  return (
    <time className="line-time" dateTime={at} title={clock.whole.format(time)}>
      {clock.time.format(time)}
    </time>
  )
}

function Line({
  icon: Icon,
  at,
  tone,
  children,
}: {
  icon: LucideIcon
  at: string
  tone?: string
  children: ReactNode
}) {
  return (
    <div className={`line ${tone ? `line-${tone}` : ''}`}>
      <Icon size={14} aria-hidden />
      <span className="line-text">{children}</span>
      <Time at={at} />
    </div>
  )
}

function Said({ entry, answer }: { entry: Of<'message'>; answer: unknown }) {
  const { t } = useTranslation('task')
  const { isMine } = useFacts()
  const row = useMessageRow(entry.id)
  if (!row) return entry.role === 'user' ? <div className="said-waits" /> : null
  const isPerson = entry.role === 'user'
  const thinking = typeof row.metadata.thinking === 'string' ? row.metadata.thinking : ''
  const words = row.content.trim() && row.content !== answer ? row.content : ''
  if (!words && !thinking) return null
  if (!words) return <Thinking text={thinking} />
  const who = isPerson ? (isMine ? t('timeline.you') : t('timeline.person')) : t('timeline.agent')
  return (
    <article className={`said ${isPerson ? 'said-person' : ''}`}>
      <div className="said-head">
        {isPerson ? <UserRound size={16} aria-hidden /> : <Bot size={16} aria-hidden />}
        <h3>{entry.isPrompt ? t('timeline.prompt') : who}</h3>
        <Time at={entry.at} />
      </div>
      {thinking && <Thinking text={thinking} />}
      <LongMarkdown text={words} />
      {entry.isPrompt && !!row.metadata.files?.length && (
        <ul className="said-files">
          {row.metadata.files.map((file) => (
            <li key={file.filename}>
              <FileName name={String(file.filename)} />
            </li>
          ))}
        </ul>
      )}
    </article>
  )
}

function PlanLine({ entry }: { entry: Of<'plan'> }) {
  const { t } = useTranslation('task')
  return (
    <div className="phase-line">
      {entry.isNew ? <ListChecks size={16} aria-hidden /> : <Flag size={16} aria-hidden />}
      <h3>
        {entry.isNew && `${t('timeline.planSet')} · `}
        {t('timeline.phaseBegins', { phase: entry.phase })}: {entry.title}
      </h3>
      <Time at={entry.at} />
    </div>
  )
}

function Notice({ entry }: { entry: Of<'notice'> }) {
  const { t } = useTranslation('task')
  return (
    <article className="said said-notice">
      <div className="said-head">
        <Bell size={16} aria-hidden />
        <h3>{t('timeline.notice')}</h3>
        <Time at={entry.at} />
      </div>
      <Markdown text={entry.text} />
    </article>
  )
}

function FileLine({ entry }: { entry: Of<'file'> }) {
  const { t } = useTranslation('task')
  const { taskId } = useFacts()
  return (
    <Line icon={entry.removed ? FileMinus : FilePlus} at={entry.at}>
      {t(entry.removed ? 'timeline.removed' : entry.isGiven ? 'timeline.given' : 'timeline.wrote')}{' '}
      {entry.removed ? (
        <FileName name={entry.filename} />
      ) : (
        <Link href={`/tasks/${taskId}/files/${entry.id}`}>
          <FileName name={entry.filename} />
        </Link>
      )}
      {entry.version > 1 && !entry.removed && ` (${t('timeline.version', { version: entry.version })})`}
    </Line>
  )
}

const VERDICTS = ['approved', 'denied', 'happened', 'did_not_happen'] as const

function DecisionLine({ entry, call }: { entry: Of<'decision'>; call: Call | undefined }) {
  const { t } = useTranslation('task')
  const { person, tool } = useFacts()
  const { name, isMe } = person(entry.userId)
  const who = isMe ? t('decision.you') : (name ?? t('decision.somebody'))
  const known = VERDICTS.find((verdict) => verdict === entry.verdict)
  return (
    <Line icon={UserRoundCheck} at={entry.at} tone={entry.verdict === 'denied' ? 'bad' : 'good'}>
      {known ? t(`decision.${known}`, { who }) : `${who}: ${entry.verdict}`}
      {call && ` · ${tool(call.tool)?.display_name ?? call.tool}`}
      {entry.reason && <q className="reason">{entry.reason}</q>}
    </Line>
  )
}

const WAITS = ['answer', 'approval', 'doubt', 'children', 'schedule'] as const

function StatusLine({ entry }: { entry: Of<'status'> }) {
  const { t } = useTranslation('task')
  const { status, previous, payload } = entry
  const attempts = Number(payload.attempts ?? 0)
  const runAfter = typeof payload.run_after === 'string' ? new Date(payload.run_after) : null
  const wait = WAITS.find((reason) => reason === payload.wait_reason)
  let text: string
  if (status === 'running') text = attempts ? t('status.runningAgain', { count: attempts }) : t('status.running')
  else if (status === 'waiting') text = t(wait ? `status.${wait}` : 'status.waiting')
  else if (status === 'paused') text = t('status.paused')
  else if (status === 'pending' && previous === 'running') text = t('status.givenBack')
  else text = t('status.goesOn')
  if (runAfter && !Number.isNaN(runAfter.getTime())) text += `, ${t('status.notBefore', { time: absolute(runAfter) })}`
  return (
    <Line
      icon={status === 'waiting' ? CircleAlert : Flag}
      at={entry.at}
      tone={status === 'waiting' ? 'warn' : undefined}
    >
      {text}
    </Line>
  )
}

function ControlLine({ entry }: { entry: Of<'control'> }) {
  const { t } = useTranslation('task')
  const known = (['cancel', 'pause', 'resume'] as const).find((request) => request === entry.request)
  return (
    <Line icon={CircleStop} at={entry.at} tone="warn">
      {known ? t(`control.${known}`) : entry.request}
    </Line>
  )
}
