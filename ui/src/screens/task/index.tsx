import { useMemo, useRef, useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useParams, useSearchParams } from 'wouter'
import { useServed } from '@/data/client'
import { problemOf, Refused } from '@/data/problem'
import { Banner, Empty, Loading, ProblemState } from '@/kit/states'
import { Tabs } from '@/kit/tabs'
import { useTimeline } from '@/live/use_timeline'
import { useSession } from '@/session/session'
import { Announce } from './announce'
import { Composer } from './composer'
import { isId, useTask } from './data'
import { TaskHead, type Shown } from './head'
import { Plan } from './plan'
import { benchCalls, rowsOf } from './rows'
import { RowStore, RowStoreContext } from './row_store'
import { Shortcuts, useShortcuts } from './shortcuts'
import { TimelineList, type ListHandle } from './timeline_list'
import { UsagePanel } from './usage'
import { useNarrow } from './use_narrow'
import { Workbench } from './workbench'
import './task.css'

/** A task, live: where it is, what happened, and what it does now. */
export default function Task() {
  const { id = '' } = useParams<{ id: string }>()
  if (!isId(id))
    return (
      <Instead>
        <ProblemState error={new Refused('notFound', '')} />
      </Instead>
    )
  return <OneTask key={id} taskId={id} />
}

type Part = 'timeline' | 'workbench' | 'usage'

function OneTask({ taskId }: { taskId: string }) {
  const { t } = useTranslation('task')
  const { supabase } = useServed()
  const { session } = useSession()
  const [search, setSearch] = useSearchParams()
  const followed = useTimeline(taskId)
  const { timeline, streaming, isComplete, received, noAccess } = followed
  const { data: task, error } = useTask(taskId, timeline)
  const connection: Shown =
    followed.connection === 'live' && problemOf(error).kind === 'unavailable' && error ? 'away' : followed.connection
  const store = useMemo(() => new RowStore(supabase), [supabase])
  const rows = useMemo(() => rowsOf(timeline, streaming), [timeline, streaming])
  const calls = useMemo(() => benchCalls(timeline), [timeline])
  const list = useRef<ListHandle>(null)
  const composer = useRef<HTMLTextAreaElement>(null)
  const narrow = useNarrow()
  const [helps, setHelps] = useState(false)

  const asked = search.get('part')
  const part: Part = asked === 'workbench' || asked === 'usage' ? asked : 'timeline'
  const chosen = search.get('call')
  const change = (changes: Record<string, string | null>) =>
    setSearch(
      (old) => {
        const next = new URLSearchParams(old)
        for (const [key, value] of Object.entries(changes)) {
          if (value === null) next.delete(key)
          else next.set(key, value)
        }
        return next
      },
      { replace: true },
    )
  const openCall = (call: string) => change({ call, part: narrow ? 'workbench' : null })
  const write = () => {
    change({ part: null })
    // The box may be on a part that is not shown yet.
    requestAnimationFrame(() => composer.current?.focus())
  }
  useShortcuts({ list, write, help: () => setHelps(true) })

  if (noAccess === 'notFound' && timeline.lastEvent)
    return (
      <Instead>
        <Empty title={t('removed')}>
          <p>{t('removedText')}</p>
          <Link href="/tasks">{t('toTasks')}</Link>
        </Empty>
      </Instead>
    )
  const problem = noAccess
    ? new Refused(noAccess, '')
    : !timeline.lastEvent && connection === 'offline'
      ? (error ?? new Refused('unavailable', ''))
      : null
  if (problem || !timeline.lastEvent || (!isComplete && rows.length < 2))
    return <Instead>{problem ? <ProblemState error={problem} /> : <Loading label={t('loading')} />}</Instead>

  const isMine = !!task && task.user_id === session?.user.id
  const timelinePart = (
    <div className="task-timeline">
      {!narrow && <Plan timeline={timeline} />}
      <TimelineList
        ref={list}
        taskId={taskId}
        rows={rows}
        timeline={timeline}
        streaming={streaming}
        task={task ?? null}
        isMine={isMine}
        opened={chosen}
        onOpen={openCall}
      />
      <Composer
        ref={composer}
        taskId={taskId}
        timeline={timeline}
        isMine={task ? isMine : null}
        onSend={() => list.current?.toEnd()}
      />
    </div>
  )
  const bench = (
    <Workbench
      taskId={taskId}
      timeline={timeline}
      calls={calls}
      chosen={chosen}
      onChoose={(call) => change({ call })}
    />
  )
  return (
    <RowStoreContext value={store}>
      <div className="run" data-last-event={timeline.lastEvent} data-received={received} data-connection={connection}>
        <TaskHead
          taskId={taskId}
          timeline={timeline}
          task={task ?? null}
          connection={connection}
          isMine={isMine}
          onWrite={write}
          onHelp={() => setHelps(true)}
        />
        {task?.parent_task_id && (
          <p className="task-parent">
            <Link href={`/tasks/${task.parent_task_id}`}>{t('parent')}</Link>
          </p>
        )}
        {task && !task.agents?.is_active && <Banner tone="info">{t('agentOff')}</Banner>}
        {narrow ? (
          <Tabs
            label={t('tabs.label')}
            value={part}
            onChange={(value) => change({ part: value === 'timeline' ? null : value })}
            tabs={[
              { value: 'timeline', label: t('tabs.timeline'), content: timelinePart },
              { value: 'workbench', label: t('tabs.workbench'), content: bench },
              {
                value: 'usage',
                label: t('tabs.usage'),
                content: (
                  <div className="task-usage-part">
                    <Plan timeline={timeline} whole />
                    <UsagePanel timeline={timeline} task={task ?? null} />
                  </div>
                ),
              },
            ]}
          />
        ) : (
          <div className="task-parts">
            {timelinePart}
            {bench}
          </div>
        )}
        <Announce timeline={timeline} isComplete={isComplete} />
        <Shortcuts open={helps} onOpenChange={setHelps} />
      </div>
    </RowStoreContext>
  )
}

/** What stands in the place of the screen has its title, too. */
function Instead({ children }: { children: ReactNode }) {
  const { t } = useTranslation('task')
  return (
    <>
      <h1 className="visually-hidden">{t('timeline.prompt')}</h1>
      {children}
    </>
  )
}
