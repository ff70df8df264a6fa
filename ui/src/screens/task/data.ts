import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useRef } from 'react'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { ENDED, type Timeline } from '@/live/fold'
import { useSession } from '@/session/session'

export interface TaskRow {
  id: string
  title: string
  status: string
  user_id: string
  conversation_id: string
  agent_id: string
  created_at: string
  completed_at: string | null
  claimed_at: string | null
  active_seconds: number
  result: { answer?: unknown; files?: unknown } | null
  error_message: string | null
  limits: Record<string, number>
  usage: Record<string, unknown>
  parent_task_id: string | null
  agents: { name: string; is_active: boolean; configuration: { limits?: Record<string, number> } | null } | null
}

const COLUMNS =
  'id, title, status, user_id, conversation_id, agent_id, created_at, completed_at, claimed_at, active_seconds, result,' +
  ' error_message, limits, usage, parent_task_id, agents(name, is_active, configuration)'
// While a run writes one event after the other its sums are read again this often at most.
const SUMS_MS = 2_000

/** The task's row: what no event says. Read again when the timeline goes on. */
export function useTask(taskId: string, timeline: Timeline) {
  const { supabase } = useServed()
  const queries = useQueryClient()
  const query = useQuery<TaskRow | null>({
    queryKey: ['task', taskId],
    enabled: isId(taskId),
    // A stream of which Supabase no longer says that it is allowed stays open and brings nothing: that has to be seen.
    refetchInterval: ({ state }) => (ENDED.has(timeline.status) ? false : state.status === 'error' ? 3_000 : 15_000),
    retry: false,
    queryFn: async ({ signal }) =>
      (await ask(
        supabase.from('tasks').select(COLUMNS).eq('id', taskId).retry(false).abortSignal(signal).maybeSingle(),
      )) as unknown as TaskRow | null,
  })
  const { lastEvent, status } = timeline
  const readAt = useRef(0)
  const first = useRef(true)
  useEffect(() => {
    if (!lastEvent) return
    // The row was asked for when the screen was opened, beside its events.
    if (first.current) {
      first.current = false
      readAt.current = Date.now()
      return
    }
    const read = () => {
      readAt.current = Date.now()
      void queries.invalidateQueries({ queryKey: ['task', taskId], exact: true })
    }
    const timer = setTimeout(read, ENDED.has(status) ? 0 : Math.max(0, readAt.current + SUMS_MS - Date.now()))
    return () => clearTimeout(timer)
  }, [queries, taskId, lastEvent, status])
  // It was read before the end that the events tell of.
  const isBehind = ENDED.has(status) && !!query.data && !ENDED.has(query.data.status)
  useEffect(() => {
    if (isBehind) void queries.invalidateQueries({ queryKey: ['task', taskId], exact: true })
  }, [queries, taskId, isBehind])
  return query
}

export const isId = (id: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)

interface Person {
  user_id: string
  name: string
}

/** Names of the people in a task, by id; `you` is the one who looks. */
export function usePeople(
  taskId: string,
  decisions: number,
): (id: string | null) => { name: string | null; isMe: boolean } {
  const { supabase } = useServed()
  const { session } = useSession()
  const { data } = useQuery({
    queryKey: ['task', taskId, 'people', decisions],
    enabled: isId(taskId),
    placeholderData: (old: Person[] | undefined) => old,
    staleTime: 300_000,
    queryFn: async () => (await ask(supabase.rpc('task_people', { p_task: taskId }))) as unknown as Person[],
  })
  const me = session?.user.id
  return useCallback(
    (id) => ({ name: data?.find((person) => person.user_id === id)?.name ?? null, isMe: !!id && id === me }),
    [data, me],
  )
}

export interface ToolName {
  name: string
  display_name: string
  category: string
}

/** What tools are called and what kind they are. */
export function useTools(): (name: string) => ToolName | undefined {
  const { supabase } = useServed()
  const { data } = useQuery({
    queryKey: ['tools', 'names'],
    staleTime: 600_000,
    queryFn: async () =>
      new Map(
        ((await ask(supabase.from('tools').select('name, display_name, category'))) as unknown as ToolName[]).map(
          (tool) => [tool.name, tool],
        ),
      ),
  })
  return useCallback((name) => data?.get(name), [data])
}

/** The result as it should be: whatever is in the row. */
export function resultOf(task: TaskRow | null | undefined): { answer: string; files: string[] } {
  const { answer, files } = task?.result ?? {}
  return {
    answer: typeof answer === 'string' ? answer : '',
    files: Array.isArray(files) ? files.filter((file): file is string => typeof file === 'string') : [],
  }
}
