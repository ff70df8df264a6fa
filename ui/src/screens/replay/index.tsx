import { useQuery } from '@tanstack/react-query'
import { ArrowLeft, Link2, Pause, Play, RefreshCw, SkipBack, SkipForward } from 'lucide-react'
import { useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useParams, useSearchParams } from 'wouter'
import { useServed } from '@/data/client'
import { Refused } from '@/data/problem'
import { Button, IconButton } from '@/kit/button'
import { ScreenHead } from '@/kit/card'
import { duration, number } from '@/kit/figures'
import { useNotices } from '@/kit/notices'
import { Loading, ProblemState } from '@/kit/states'
import { StatusBadge } from '@/kit/status'
import { Tabs } from '@/kit/tabs'
import { ENDED, type Timeline } from '@/live/fold'
import { isId, useTask } from '@/screens/task/data'
import { Plan } from '@/screens/task/plan'
import { benchCalls, rowsOf } from '@/screens/task/rows'
import { RowStore, RowStoreContext } from '@/screens/task/row_store'
import { TimelineList, type ListHandle } from '@/screens/task/timeline_list'
import { useNarrow } from '@/screens/task/use_narrow'
import { Workbench } from '@/screens/task/workbench'
import { useSession } from '@/session/session'
import { FilesThen } from './files_then'
import { tapeQuery } from './load'
import { Scrubber } from './scrubber'
import type { Tape } from './tape'
import { placeOf, trackOf, type Pace } from './track'
import { SPEEDS, usePlayer } from './use_player'
import { useKeys } from './use_keys'
import '@/screens/task/task.css'
import './replay.css'

/** A run again, from its events: where it stood at any moment. */
export default function Replay() {
  const { id = '' } = useParams<{ id: string }>()
  const { supabase } = useServed()
  const { session } = useSession()
  const { t } = useTranslation('replay')
  const known = isId(id)
  const { data, error, isPending, isFetching, refetch } = useQuery({
    ...tapeQuery(supabase, session?.user.id, id),
    enabled: known,
  })
  if (!data)
    return (
      <>
        <ScreenHead title={t('title')} />
        {!known ? (
          <ProblemState error={new Refused('notFound', '')} />
        ) : isPending ? (
          <Loading label={t('loading')} />
        ) : (
          <ProblemState error={error} onRetry={() => void refetch()} />
        )}
      </>
    )
  return <Watch key={id} taskId={id} tape={data} isFetching={isFetching} onRenew={() => void refetch()} />
}

interface WatchProps {
  taskId: string
  tape: Tape
  isFetching: boolean
  /** Fetch what came since. */
  onRenew: () => void
}

function Watch({ taskId, tape, isFetching, onRenew }: WatchProps) {
  const { t } = useTranslation('replay')
  const { supabase } = useServed()
  const { session } = useSession()
  const { tell } = useNotices()
  const [params, setParams] = useSearchParams()
  const [pace, setPace] = useState<Pace>(params.get('pace') === 'turns' ? 'turns' : 'clock')
  const [errorsOnly, setErrorsOnly] = useState(params.get('errors') === '1' && tape.errors.length > 0)
  const [call, setCall] = useState<string | null>(null)
  const [file, setFile] = useState<string | null>(null)
  const narrow = useNarrow()
  const asked = params.get('part')
  const part =
    asked === 'files' || asked === 'workbench' || (asked === 'timeline' && narrow)
      ? asked
      : narrow
        ? 'timeline'
        : 'workbench'
  const scale = useMemo(() => trackOf(tape, pace, false), [tape, pace])
  const track = useMemo(() => (errorsOnly ? trackOf(tape, pace, true) : scale), [tape, pace, errorsOnly, scale])
  const [first] = useState(() => {
    const at = Number(params.get('at'))
    return at > 0 ? tape.indexOf(at) : tape.first
  })
  const player = usePlayer(tape, track, first, errorsOnly)
  const { index, playing } = player
  const timeline = useMemo(() => standing(tape.at(index)), [tape, index])
  const whole = useMemo(() => tape.at(tape.length - 1), [tape])
  const { data: task } = useTask(taskId, whole)
  const store = useMemo(() => new RowStore(supabase), [supabase])
  const rows = useMemo(() => rowsOf(timeline, null), [timeline])
  const calls = useMemo(() => benchCalls(timeline), [timeline])
  const list = useRef<ListHandle>(null)
  const eventId = tape.events[index]!.id

  const change = (name: string, value: string | null) =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old)
        if (value === null) next.delete(name)
        else next.set(name, value)
        return next
      },
      { replace: true },
    )
  // The address holds the moment, once it rests.
  useEffect(() => {
    if (playing) return
    const timer = setTimeout(() => change('at', String(eventId)), 250)
    return () => clearTimeout(timer)
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [eventId, playing])
  // The moment is what happened last: it stays in view.
  useEffect(() => list.current?.toEnd(), [index])

  const seek = (next: number) => {
    setCall(null)
    player.seek(next)
  }
  const move = (by: 1 | -1) => {
    setCall(null)
    player.move(by)
  }
  useKeys({
    toggle: player.toggle,
    move,
    one: (by) => seek(index + by),
    toBegin: () => seek(0),
    toEnd: () => seek(tape.length - 1),
  })
  const copyLink = () => {
    const link = new URL(window.location.href)
    link.searchParams.set('at', String(eventId))
    void navigator.clipboard?.writeText(link.href).then(() => tell(t('linkCopied')))
  }
  const lastStep = tape.steps[tape.length - 1] ?? 0
  const step = tape.steps[index] ?? 0

  const timelinePart = (
    <div className="task-timeline">
      <Plan timeline={timeline} />
      <TimelineList
        ref={list}
        taskId={taskId}
        rows={rows}
        timeline={timeline}
        streaming={null}
        task={task ?? null}
        isMine={!!task && task.user_id === session?.user.id}
        opened={call}
        onOpen={(id) => {
          setCall(id)
          change('part', 'workbench')
        }}
      />
    </div>
  )
  const workbench = {
    value: 'workbench',
    label: t('workbench'),
    content: <Workbench taskId={taskId} timeline={timeline} calls={calls} chosen={call} onChoose={setCall} />,
  }
  const files = {
    value: 'files',
    label: `${t('files')} (${number(Object.keys(timeline.files).length)})`,
    content: <FilesThen taskId={taskId} timeline={timeline} openName={file} onOpen={setFile} />,
  }
  return (
    <RowStoreContext value={store}>
      <div className="replay" data-event={eventId}>
        <ScreenHead
          title={t('titleOf', { title: whole.title })}
          actions={
            !ENDED.has(whole.status) && (
              <Button small busy={isFetching} icon={<RefreshCw size={16} aria-hidden />} onClick={onRenew}>
                {t('renew')}
              </Button>
            )
          }
        >
          <p className="replay-of">
            <Link href={`/tasks/${taskId}`} className="replay-back">
              <ArrowLeft size={16} aria-hidden />
              {t('toTask')}
            </Link>
            <span>{t('statusThen')}</span>
            <StatusBadge status={timeline.status} />
          </p>
        </ScreenHead>
        <section className="player" aria-label={t('player')}>
          <h2 className="visually-hidden">{t('player')}</h2>
          <div className="player-line">
            <div className="player-buttons">
              <IconButton
                label={t(errorsOnly ? 'previousError' : 'previous')}
                disabled={index === 0}
                onClick={() => move(-1)}
              >
                <SkipBack size={18} aria-hidden />
              </IconButton>
              <Button
                look="primary"
                className="player-play"
                icon={playing ? <Pause size={18} aria-hidden /> : <Play size={18} aria-hidden />}
                onClick={player.toggle}
              >
                {t(playing ? 'pause' : 'play')}
              </Button>
              <IconButton
                label={t(errorsOnly ? 'nextError' : 'next')}
                disabled={index >= tape.length - 1}
                onClick={() => move(1)}
              >
                <SkipForward size={18} aria-hidden />
              </IconButton>
            </div>
            <p className="player-where" aria-live={playing ? 'off' : 'polite'}>
              <strong>{t('stepOf', { step: number(step), all: number(lastStep) })}</strong>
              <span>{t('eventOf', { event: number(index + 1), all: number(tape.length) })}</span>
              <span>+{duration(tape.times[index]! / 1_000)}</span>
            </p>
            <div className="player-choices">
              <label>
                {t('speed')}
                <select
                  className="control"
                  value={player.speed}
                  onChange={(event) => player.setSpeed(Number(event.target.value))}
                >
                  {SPEEDS.map((speed) => (
                    <option key={speed} value={speed}>
                      {number(speed, 1)}×
                    </option>
                  ))}
                </select>
              </label>
              <label>
                {t('pace')}
                <select
                  className="control"
                  value={pace}
                  onChange={(event) => {
                    setPace(event.target.value as Pace)
                    change('pace', event.target.value === 'turns' ? 'turns' : null)
                  }}
                >
                  <option value="clock">{t('clock')}</option>
                  <option value="turns">{t('turns')}</option>
                </select>
              </label>
              <Button
                small
                aria-pressed={errorsOnly}
                className="player-errors"
                disabled={tape.errors.length === 0}
                onClick={() => {
                  setErrorsOnly(!errorsOnly)
                  change('errors', errorsOnly ? null : '1')
                  if (!errorsOnly) seek(tape.errors.find((at) => at >= index) ?? tape.errors[0]!)
                }}
              >
                {t(tape.errors.length ? 'errorsOnly' : 'noErrors')}
              </Button>
              <Button small icon={<Link2 size={16} aria-hidden />} title={t('copyLinkTitle')} onClick={copyLink}>
                {t('copyLink')}
              </Button>
            </div>
          </div>
          <Scrubber
            tape={tape}
            track={scale}
            index={index}
            onSeek={(next) => seek(errorsOnly ? track.indexes[placeOf(track, next)]! : next)}
          />
        </section>
        {narrow ? (
          <Tabs
            label={t('parts')}
            value={part}
            onChange={(next) => change('part', next === 'timeline' ? null : next)}
            tabs={[{ value: 'timeline', label: t('timeline'), content: timelinePart }, workbench, files]}
          />
        ) : (
          <div className="task-parts">
            {timelinePart}
            <Tabs
              label={t('parts')}
              value={part}
              onChange={(next) => change('part', next === 'workbench' ? null : next)}
              tabs={[workbench, files]}
            />
          </div>
        )}
      </div>
    </RowStoreContext>
  )
}

/** A moment stands still: what ran then does not go on counting. */
function standing(timeline: Timeline): Timeline {
  const running = Object.values(timeline.calls).filter((call) => call.status === 'running')
  if (running.length === 0) return timeline
  const calls = { ...timeline.calls }
  for (const call of running) calls[call.id] = { ...call, startedAt: null }
  return { ...timeline, calls }
}
