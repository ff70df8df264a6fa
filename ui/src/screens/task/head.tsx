import {
  FolderOpen,
  History,
  Keyboard,
  MessageSquare,
  Pause,
  Play,
  Radio,
  RefreshCw,
  Square,
  WifiOff,
  type LucideIcon,
} from 'lucide-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'
import { Button, IconButton } from '@/kit/button'
import { Confirm, Dialog } from '@/kit/dialog'
import { Moment, useNow, absolute } from '@/kit/figures'
import { StatusBadge } from '@/kit/status'
import type { Connection } from '@/live/follow'
import { ENDED, type Timeline } from '@/live/fold'
import { useControl } from './actions'
import type { TaskRow } from './data'
import { usePeople } from './data'
import { UsageLine, UsagePanel } from './usage'

/** How the timeline comes; `away`: the stream is open, and Supabase does not say that it may bring anything. */
export type Shown = Connection | 'away'

interface HeadProps {
  taskId: string
  timeline: Timeline
  task: TaskRow | null
  connection: Shown
  isMine: boolean
  onWrite: () => void
  onHelp: () => void
}

export function TaskHead({ taskId, timeline, task, connection, isMine, onWrite, onHelp }: HeadProps) {
  const { t } = useTranslation('task')
  const [, go] = useLocation()
  const [usage, setUsage] = useState(false)
  const person = usePeople(taskId, 0)
  const ended = ENDED.has(timeline.status)
  const owner = task && !isMine ? person(task.user_id).name : null
  return (
    <header className="task-head">
      <div className="task-head-line">
        <h1 className="task-title" title={timeline.title}>
          {timeline.title || task?.title}
        </h1>
        <div className="task-actions" role="group" aria-label={t('actions.label')}>
          {isMine && !ended && (
            <>
              <Button small icon={<MessageSquare size={16} aria-hidden />} onClick={onWrite} className="task-write">
                {t('actions.message')}
              </Button>
              <PauseOrResume taskId={taskId} timeline={timeline} />
              <Stop taskId={taskId} timeline={timeline} />
            </>
          )}
          <Button small icon={<History size={16} aria-hidden />} onClick={() => go(`/tasks/${taskId}/replay`)}>
            {t('actions.replay')}
          </Button>
          <Button small icon={<FolderOpen size={16} aria-hidden />} onClick={() => go(`/tasks/${taskId}/files`)}>
            {t('actions.files')}
          </Button>
          <IconButton label={t('actions.keys')} onClick={onHelp} className="task-keys">
            <Keyboard size={18} aria-hidden />
          </IconButton>
        </div>
      </div>
      <div className="task-facts">
        <StatusBadge status={timeline.status} />
        <WaitReason timeline={timeline} />
        <ConnectionState connection={connection} ended={ended} />
        {task?.agents && <span className="task-fact">{t('by', { name: task.agents.name })}</span>}
        {owner && <span className="task-fact">{t('owner', { name: owner })}</span>}
        {task && (
          <span className="task-fact">
            <Moment at={task.created_at} />
          </span>
        )}
        <UsageLine timeline={timeline} task={task} onOpen={() => setUsage(true)} />
      </div>
      <Dialog open={usage} onOpenChange={setUsage} title={t('usage.label')}>
        <UsagePanel timeline={timeline} task={task} />
      </Dialog>
    </header>
  )
}

function WaitReason({ timeline }: { timeline: Timeline }) {
  const { t } = useTranslation()
  const { t: w } = useTranslation('task')
  const now = useNow(15_000)
  const { status, waitReason, runAfter } = timeline
  if (
    status === 'waiting' &&
    waitReason &&
    ['answer', 'approval', 'doubt', 'children', 'schedule'].includes(waitReason)
  )
    return <span className="task-wait">{t(`wait.${waitReason as 'answer'}`)}</span>
  if (status === 'pending' && runAfter && new Date(runAfter) > now)
    return <span className="task-wait">{w('status.notBefore', { time: absolute(new Date(runAfter)) })}</span>
  if (status === 'running' && timeline.cancelRequested)
    return <span className="task-wait">{w('actions.stopping')}</span>
  if (status === 'running' && timeline.pauseRequested) return <span className="task-wait">{w('actions.pausing')}</span>
  return null
}

const LOOKS: Record<Shown, [LucideIcon, string]> = {
  connecting: [RefreshCw, 'quiet'],
  live: [Radio, 'good'],
  polling: [RefreshCw, 'warn'],
  offline: [WifiOff, 'bad'],
  resting: [Pause, 'quiet'],
  ended: [Square, 'quiet'],
  away: [WifiOff, 'bad'],
}

function ConnectionState({ connection, ended }: { connection: Shown; ended: boolean }) {
  const { t } = useTranslation('task')
  const [Icon, tone] = LOOKS[connection]
  // Of a task that has ended nothing more comes; only that it cannot be reached is worth a word.
  if (ended && connection !== 'offline') return null
  return (
    <span className={`status tone-${tone}`} title={t(`connectionText.${connection}`)} role="status">
      <Icon size={14} aria-hidden /> {t(`connection.${connection}`)}
    </span>
  )
}

function PauseOrResume({ taskId, timeline }: { taskId: string; timeline: Timeline }) {
  const { t } = useTranslation('task')
  const pause = useControl(taskId, 'pause_task', t('actions.pauseAsked'))
  const resume = useControl(taskId, 'resume_task', t('actions.resumed'))
  if (timeline.status === 'paused' || timeline.pauseRequested)
    return (
      <Button small icon={<Play size={16} aria-hidden />} busy={resume.isPending} onClick={() => resume.mutate()}>
        {t('actions.resume')}
      </Button>
    )
  return (
    <Button
      small
      icon={<Pause size={16} aria-hidden />}
      busy={pause.isPending}
      disabled={timeline.cancelRequested}
      onClick={() => pause.mutate()}
    >
      {t('actions.pause')}
    </Button>
  )
}

function Stop({ taskId, timeline }: { taskId: string; timeline: Timeline }) {
  const { t } = useTranslation('task')
  const [asks, setAsks] = useState(false)
  const stop = useControl(taskId, 'cancel_task', t('actions.stopAsked'), () => setAsks(false))
  const waits = timeline.cancelRequested && timeline.status === 'running'
  return (
    <>
      <Button
        small
        look="danger"
        icon={<Square size={14} aria-hidden />}
        title={waits ? t('actions.stopWaits') : undefined}
        onClick={() => setAsks(true)}
      >
        {t(waits ? 'actions.stopping' : 'actions.stop')}
      </Button>
      <Confirm
        open={asks}
        onOpenChange={setAsks}
        title={t('actions.stopTitle')}
        description={t(waits ? 'actions.stopWaits' : 'actions.stopText')}
        confirm={t('actions.stop')}
        danger
        busy={stop.isPending}
        onConfirm={() => stop.mutate()}
      />
    </>
  )
}
