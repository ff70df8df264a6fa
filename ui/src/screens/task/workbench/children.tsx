import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { RotateCcw } from 'lucide-react'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { Button } from '@/kit/button'
import { useNotices } from '@/kit/notices'
import { Progress } from '@/kit/progress'
import { ProblemLine } from '@/kit/states'
import { StatusBadge } from '@/kit/status'
import { Table, type Column } from '@/kit/table'
import { ENDED } from '@/live/fold'
import { useSession } from '@/session/session'
import { oneLine } from '../words'
import { listOf, textOf, type ViewProps } from './view'

interface Child {
  id: string
  title: string
  status: string
  wait_reason: string | null
  user_id: string
  spawn_id: string
  spawn_item: number
  result: { result?: unknown; answer?: unknown } | null
  error_message: string | null
}

interface Line {
  item: number
  text: string
  child: Child | undefined
  tries: number
}

const COLUMNS = 'id, title, status, wait_reason, user_id, spawn_id, spawn_item, result, error_message'
const LOOK_MS = 2_000

/** All tasks that a task gave away, in the order in which they were made; those tried again are there twice. */
function useChildren(taskId: string, isRunning: boolean) {
  const { supabase } = useServed()
  return useQuery<Child[]>({
    queryKey: ['task', taskId, 'children'],
    refetchInterval: ({ state }) =>
      isRunning || state.data?.some((child) => !ENDED.has(child.status)) ? LOOK_MS : false,
    queryFn: async ({ signal }) =>
      (await ask(
        supabase
          .from('tasks')
          .select(COLUMNS)
          .eq('parent_task_id', taskId)
          .not('spawn_id', 'is', null)
          .order('created_at')
          .order('id')
          .abortSignal(signal),
      )) as unknown as Child[],
  })
}

/** The items of a call as lines of a table: of each the newest task. */
export function linesOf(children: Child[], spawn: string | undefined, items: string[]): Line[] {
  const own = children.filter((child) => child.spawn_id === spawn)
  const count = Math.max(items.length, ...own.map((child) => child.spawn_item))
  return Array.from({ length: count }, (_, index) => {
    const tried = own.filter((child) => child.spawn_item === index + 1)
    const child = tried.at(-1)
    return { item: index + 1, text: items[index] ?? child?.title ?? '', child, tries: tried.length }
  })
}

/** The tasks that a call gave away, live: item, state, result, and a way to try again what failed. */
export default function Children({ taskId, call, args, data }: ViewProps) {
  const { t } = useTranslation('task')
  const { t: c } = useTranslation()
  const { data: children = [], error } = useChildren(taskId, call.status === 'running')
  const spawns = useMemo(() => [...new Set(children.map((child) => child.spawn_id))], [children])
  const number =
    call.tool === 'spawn_tasks' ? spawns.indexOf(call.id) + 1 : Number(data?.spawn ?? args.spawn ?? spawns.length)
  const items = call.tool === 'spawn_tasks' ? listOf(args.items).map(textOf) : []
  const lines = linesOf(children, spawns[number - 1], items)
  const done = lines.filter((line) => line.child?.status === 'completed').length
  const failed = lines.filter((line) => line.child && ENDED.has(line.child.status) && line.child.status !== 'completed')
  const columns: Column<Line>[] = [
    { key: 'item', head: '#', number: true, cell: (line) => line.item },
    {
      key: 'text',
      head: t('children.item'),
      cell: (line) =>
        line.child ? (
          <Link href={`/tasks/${line.child.id}`}>{oneLine(line.text, 120)}</Link>
        ) : (
          <span>{oneLine(line.text, 120)}</span>
        ),
    },
    {
      key: 'status',
      head: t('children.status'),
      cell: ({ child, tries }) => (
        <span className="child-status">
          {child ? <StatusBadge status={child.status} /> : <span className="bench-quiet">{t('children.none')}</span>}
          {child?.wait_reason && (
            <span className="bench-quiet">
              {child.wait_reason === 'schedule' ? t('children.turn') : c(`wait.${child.wait_reason as 'answer'}`)}
            </span>
          )}
          {tries > 1 && <span className="bench-quiet">{t('children.tries', { count: tries })}</span>}
        </span>
      ),
    },
    { key: 'result', head: t('children.result'), cell: ({ child }) => <Result child={child} /> },
  ]
  return (
    <>
      <ProblemLine error={error} />
      {lines.length > 0 && (
        <>
          <p className="bench-quiet">{t('children.done', { done, all: lines.length })}</p>
          <Progress value={Math.round((100 * done) / lines.length)} label={t('children.label')} />
          <Table label={t('children.label')} columns={columns} rows={lines} keyOf={(line) => String(line.item)} />
        </>
      )}
      {failed.length > 0 && <Retry taskId={taskId} spawn={number} failed={failed} />}
    </>
  )
}

function Result({ child }: { child: Child | undefined }) {
  if (!child || !ENDED.has(child.status)) return null
  if (child.status !== 'completed') return <span className="cell">{oneLine(child.error_message ?? '', 300)}</span>
  const { result, answer } = child.result ?? {}
  return (
    <span className="cell">
      {oneLine(result === undefined || result === null ? textOf(answer) : JSON.stringify(result), 500)}
    </span>
  )
}

function Retry({ taskId, spawn, failed }: { taskId: string; spawn: number; failed: Line[] }) {
  const { t } = useTranslation('task')
  const { supabase } = useServed()
  const { session } = useSession()
  const { tell, tellProblem } = useNotices()
  const queries = useQueryClient()
  const retry = useMutation({
    mutationFn: async () =>
      ask(supabase.rpc('retry_children', { p_task: taskId, p_spawn: spawn, p_items: failed.map((line) => line.item) })),
    onSuccess: (count) => tell(t('children.retried', { count: Number(count) })),
    onError: tellProblem,
    onSettled: () => queries.invalidateQueries({ queryKey: ['task', taskId, 'children'] }),
  })
  if (failed[0]?.child?.user_id !== session?.user.id) return null
  return (
    <Button
      small
      icon={<RotateCcw size={16} aria-hidden />}
      busy={retry.isPending}
      className="children-retry"
      onClick={() => retry.mutate()}
    >
      {t('children.retry', { count: failed.length })}
    </Button>
  )
}
