import {
  ArrowLeftRight,
  Database,
  FilePen,
  FileText,
  FolderOpen,
  Globe,
  ListTree,
  MessageCircleQuestion,
  PackageOpen,
  PanelRightOpen,
  Search,
  SquareCode,
  Terminal,
  Wrench,
  type LucideIcon,
} from 'lucide-react'
import { createElement, lazy, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { duration, useNow } from '@/kit/figures'
import { Markdown } from '@/kit/markdown'
import { StatusBadge } from '@/kit/status'
import { OVER, type Call } from '@/live/fold'
import { stripAnsi } from './ansi'
import { Time } from './entry'
import { useFacts } from './facts'
import { unfenced } from './fence'
import { useCallContent, useCallRow } from './row_store'
import { argumentsText, detailOf, objectOf, oneLine, previewOf, verbOf } from './words'

const Decide = lazy(() => import('@/screens/approvals/decide').then(({ Decide }) => ({ default: Decide })))

const ICONS = new Map<string, LucideIcon>([
  ['shell_exec', Terminal],
  ['shell_view', Terminal],
  ['shell_input', Terminal],
  ['shell_kill', Terminal],
  ['python_exec', SquareCode],
  ['file_read', FileText],
  ['file_write', FilePen],
  ['file_edit', FilePen],
  ['file_list', FolderOpen],
  ['file_find', Search],
  ['file_grep', Search],
  ['archive_unpack', PackageOpen],
  ['web_search', Search],
  ['web_fetch', Globe],
  ['http_request', ArrowLeftRight],
  ['browser_navigate', Globe],
  ['db_query', Database],
  ['db_execute', Database],
  ['spawn_tasks', ListTree],
  ['retry_tasks', ListTree],
  ['message_ask', MessageCircleQuestion],
])

export function CallIcon({ tool, size = 16 }: { tool: string; size?: number }) {
  return createElement(ICONS.get(tool) ?? Wrench, { size, 'aria-hidden': true })
}

/** A call and its result as one card. */
export function CallCard({
  call,
  at,
  results,
  isOpened,
}: {
  call: Call
  at: string
  results: string[] | undefined
  isOpened: boolean
}) {
  const { t } = useTranslation('task')
  const { tool, onOpen } = useFacts()
  const row = useCallRow(call)
  const isOver = OVER.has(call.status)
  const content = useCallContent(call.id, isOver ? results : undefined)
  const args = row?.input_parameters
  const what = objectOf(t, call.tool, args, tool(call.tool)?.display_name)
  const detail = detailOf(call.tool, args)
  const waits = call.status === 'awaiting_approval' || call.status === 'in_doubt'
  if (call.tool === 'message_ask' && !waits) return <Asked call={call} at={at} question={args?.question} />
  const preview = content ? previewOf(call.tool, stripAnsi(unfenced(content).text)) : ''
  return (
    <article className={`call call-${call.status} ${isOpened ? 'call-opened' : ''}`}>
      <div className="call-head">
        <CallIcon tool={call.tool} />
        <button
          type="button"
          className="call-open"
          aria-pressed={isOpened}
          title={t('timeline.open')}
          onClick={() => onOpen(call.id)}
        >
          <span className="call-verb">{verbOf(t, call)}</span> {what && <span className="call-what">{what}</span>}
        </button>
        <PanelRightOpen size={14} aria-hidden className="call-mark" />
        {row?.original_parameters && <span className="call-edited">{t('timeline.edited')}</span>}
        <span className="call-facts">
          <CallTime call={call} />
          <StatusBadge status={call.status} iconOnly={call.status === 'completed'} />
          <Time at={at} />
        </span>
      </div>
      {detail && <code className="call-detail">{detail}</code>}
      {row?.original_parameters && (
        <p className="call-note">
          {t('timeline.editedWas')}: <code>{argumentsText(row.original_parameters)}</code>
        </p>
      )}
      {call.errorMessage && isOver && call.status !== 'completed' && (
        <p className="call-error">{oneLine(call.errorMessage, 400)}</p>
      )}
      {preview && oneLine(preview, 400) !== oneLine(call.errorMessage ?? '', 400) && (
        <pre className="call-preview">{preview}</pre>
      )}
      {waits && (
        <div className="call-decide">
          <p className="call-waits">{t(call.status === 'in_doubt' ? 'call.doubt' : 'call.waits')}</p>
          <Suspense fallback={null}>
            <Decide execution={call.id} compact />
          </Suspense>
        </div>
      )}
    </article>
  )
}

/** How long it took, or takes until now. */
export function CallTime({ call }: { call: Call }) {
  if (call.status === 'running' && call.startedAt) return <Ticking from={call.startedAt} />
  if (call.executionTimeMs === null) return null
  return <span className="call-time">{took(call.executionTimeMs)}</span>
}

function Ticking({ from }: { from: string }) {
  const now = useNow(1_000)
  return (
    <span className="call-time">
      {duration(Math.max(0, Math.round((now.getTime() - new Date(from).getTime()) / 1000)))}
    </span>
  )
}

const took = (milliseconds: number) => (milliseconds < 1_000 ? `${milliseconds} ms` : duration(milliseconds / 1_000))

function Asked({ call, at, question }: { call: Call; at: string; question: unknown }) {
  const { t } = useTranslation('task')
  const isOpen = useFacts().question === call.id
  if (isOpen)
    return (
      <div className="line line-warn">
        <MessageCircleQuestion size={14} aria-hidden />
        <span className="line-text">{t('composer.asks')}</span>
        <Time at={at} />
      </div>
    )
  return (
    <article className="said said-asked">
      <div className="said-head">
        <MessageCircleQuestion size={16} aria-hidden />
        <h3>{t('composer.asks')}</h3>
        {call.status !== 'completed' && <StatusBadge status={call.status} />}
        <Time at={at} />
      </div>
      {typeof question === 'string' ? <Markdown text={question} /> : <div className="said-waits" />}
      {call.errorMessage && <p className="call-error">{oneLine(call.errorMessage, 400)}</p>}
    </article>
  )
}
