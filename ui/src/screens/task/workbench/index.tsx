import { Braces, ChevronLeft, ChevronRight, FastForward, PanelRight } from 'lucide-react'
import { Component, createElement, Suspense, useMemo, useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import { Button, IconButton } from '@/kit/button'
import { bytes } from '@/kit/figures'
import { useNotices } from '@/kit/notices'
import { Empty, Loading, ProblemLine } from '@/kit/states'
import { Badge, StatusBadge } from '@/kit/status'
import { OVER, type Call, type Timeline } from '@/live/fold'
import { FileName } from '@/viewers/file_name'
import { CallIcon, CallTime } from '../call_card'
import { useTools } from '../data'
import { unfenced } from '../fence'
import { useCallContent } from '../row_store'
import { objectOf, oneLine, verbOf } from '../words'
import { Anything, viewOf } from './registry'
import { useDetail, useSaveAll } from './use_detail'
import './workbench.css'

interface WorkbenchProps {
  taskId: string
  timeline: Timeline
  /** The calls that it can show, in order. */
  calls: string[]
  /** The one that a person chose; otherwise the newest is followed. */
  chosen: string | null
  onChoose: (call: string | null) => void
}

/** What the agent has before it: a call with what it was given and what it brought, in the view of its kind. */
export function Workbench({ taskId, timeline, calls, chosen, onChoose }: WorkbenchProps) {
  const { t } = useTranslation('task')
  const id = chosen ?? calls.at(-1) ?? null
  const call = id ? timeline.calls[id] : undefined
  const at = id ? calls.indexOf(id) : -1
  const step = (by: number) => {
    const next = calls[(at < 0 ? calls.length : at) + by]
    if (next) onChoose(next)
  }
  return (
    <section className="workbench" aria-label={t('workbench.label')}>
      <div className="workbench-bar">
        <h2>{t('workbench.label')}</h2>
        <div className="workbench-ways">
          {chosen ? (
            <Button small look="ghost" icon={<FastForward size={16} aria-hidden />} onClick={() => onChoose(null)}>
              {t('workbench.follow')}
            </Button>
          ) : (
            calls.length > 0 && <span className="workbench-follows">{t('workbench.follows')}</span>
          )}
          <IconButton
            label={t('workbench.previous')}
            disabled={calls.length === 0 || at === 0}
            onClick={() => step(-1)}
          >
            <ChevronLeft size={18} aria-hidden />
          </IconButton>
          <IconButton label={t('workbench.next')} disabled={at < 0 || at >= calls.length - 1} onClick={() => step(1)}>
            <ChevronRight size={18} aria-hidden />
          </IconButton>
        </div>
      </div>
      {call ? (
        <OneCall key={call.id} taskId={taskId} timeline={timeline} call={call} />
      ) : (
        <Empty title={t(chosen ? 'workbench.gone' : 'workbench.empty')} icon={PanelRight}>
          {!chosen && <p>{t('workbench.emptyText')}</p>}
        </Empty>
      )}
    </section>
  )
}

function OneCall({ taskId, timeline, call }: { taskId: string; timeline: Timeline; call: Call }) {
  const { t } = useTranslation('task')
  const { tellProblem } = useNotices()
  const tool = useTools()(call.tool)
  const [raw, setRaw] = useState(false)
  const { data: read, error } = useDetail(call)
  const isOver = OVER.has(call.status)
  const content = useCallContent(call.id, isOver ? timeline.results[call.step] : undefined)
  const saveAll = useSaveAll(call)
  const outside = useMemo(() => (content ? unfenced(content) : null), [content])
  const files = useMemo(
    () => Object.values(timeline.files).filter((file) => file.executionId === call.id),
    [timeline.files, call.id],
  )
  const detail = read && 'detail' in read ? read.detail : null
  const args = detail?.args ?? {}
  const waits = !isOver && call.status !== 'running'
  return (
    <>
      <div className="bench-head">
        <CallIcon tool={call.tool} size={18} />
        <h3>
          {verbOf(t, call)}{' '}
          <span className="bench-what">{objectOf(t, call.tool, detail?.args, tool?.display_name)}</span>
        </h3>
        <span className="bench-facts">
          <span>{t('timeline.step', { step: call.step })}</span>
          <CallTime call={call} />
          <StatusBadge status={call.status} />
        </span>
      </div>
      <div className="bench-body" tabIndex={0} role="region" aria-label={verbOf(t, call)}>
        <ProblemLine error={error} />
        {call.errorMessage && call.status !== 'completed' && (
          <p className="bench-error">{oneLine(call.errorMessage, 500)}</p>
        )}
        {read && 'tooLarge' in read && (
          <div className="bench-large">
            <p>{t('workbench.tooLarge', { size: bytes(read.tooLarge) })}</p>
            <Button small onClick={() => void saveAll().catch(tellProblem)}>
              {t('workbench.download')}
            </Button>
          </div>
        )}
        {outside?.from != null && !raw && (
          <p className="bench-quiet">
            <Badge>{t('workbench.outside')}</Badge> {outside.from}
          </p>
        )}
        {!read && !error && <Loading />}
        {read && (
          <ViewGuard key={`${String(raw)}${call.lastEvent}`}>
            <Suspense fallback={<Loading />}>
              {createElement(raw ? Anything : viewOf(call.tool, tool?.category), {
                taskId,
                call,
                args,
                // In a replay the row tells more than was known at the moment.
                data: isOver ? (detail?.data ?? null) : null,
                content: (raw ? content : outside?.text) ?? null,
                files,
              })}
            </Suspense>
          </ViewGuard>
        )}
        {(waits || call.status === 'running') && (
          <p className="bench-note">{t(waits ? 'workbench.notRun' : 'workbench.running')}</p>
        )}
        {files.length > 0 && (
          <section className="bench-part">
            <h4>{t('workbench.files')}</h4>
            <ul className="bench-files">
              {files.map((file) => (
                <li key={file.id}>
                  <Link href={`/tasks/${taskId}/files/${file.id}`}>
                    <FileName name={file.filename} />
                  </Link>{' '}
                  <span className="bench-quiet">{bytes(file.size)}</span>
                </li>
              ))}
            </ul>
          </section>
        )}
        {detail && (
          <Button
            small
            look="ghost"
            icon={<Braces size={16} aria-hidden />}
            aria-pressed={raw}
            onClick={() => setRaw(!raw)}
          >
            {t(raw ? 'workbench.rawBack' : 'workbench.raw')}
          </Button>
        )}
      </div>
    </>
  )
}

/** A view that stumbles over what a tool returned takes nothing else down. */
class ViewGuard extends Component<{ children: ReactNode }, { error: unknown }> {
  state: { error: unknown } = { error: null }
  static getDerivedStateFromError(error: unknown) {
    return { error: error ?? new Error('unknown') }
  }
  render() {
    return this.state.error ? <ProblemLine error={this.state.error} /> : this.props.children
  }
}
