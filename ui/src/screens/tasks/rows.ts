import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'wouter'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { useNotices } from '@/kit/notices'
import type { Row } from '@/generated/database'
import { useSession } from '@/session/session'

type Overview = Row<'task_overview'>
type Always =
  | 'id'
  | 'title'
  | 'status'
  | 'priority'
  | 'is_mine'
  | 'created_at'
  | 'age_from'
  | 'current_step'
  | 'files_count'
  | 'approvals_waiting'
/** A task of the list. A view's columns have no `not null`; these have a value in every row. */
export type TaskRow = Omit<Overview, Always> & { [Name in Always]: NonNullable<Overview[Name]> }

/** A title within a sentence: what it does to the direction of text ends with it. */
export const quoted = (title: string): string => `\u2068${title}\u2069`

export const OPEN = ['pending', 'running', 'waiting', 'paused'] as const
export const STATUSES = [...OPEN, 'completed', 'failed', 'cancelled'] as const
export const WHOSE = ['mine', 'shared'] as const
const PAGE = 50
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export interface Filters {
  query: string
  /** `open`, a status, or nothing for all. */
  status: string
  agent: string
  whose: string
}

/** The filters as the address has them: what makes no sense there is as if it were not. */
export function useFilters(): [Filters, (changed: Partial<Filters>) => void] {
  const [search, setSearch] = useSearchParams()
  const status = search.get('status') ?? ''
  const agent = search.get('agent') ?? ''
  const whose = search.get('whose') ?? ''
  const query = search.get('q') ?? ''
  const isNew = search.has('new')
  const filters = useMemo(
    () => ({
      query,
      status: status === 'open' || (STATUSES as readonly string[]).includes(status) ? status : '',
      // With ?new=1 it is the agent of the form.
      agent: UUID.test(agent) && !isNew ? agent : '',
      whose: (WHOSE as readonly string[]).includes(whose) ? whose : '',
    }),
    [query, status, agent, whose, isNew],
  )
  const change = (changed: Partial<Filters>) => {
    const next = { ...filters, ...changed }
    setSearch(
      () => {
        const made = new URLSearchParams()
        if (next.query.trim()) made.set('q', next.query)
        if (next.status) made.set('status', next.status)
        if (next.agent) made.set('agent', next.agent)
        if (next.whose) made.set('whose', next.whose)
        return made
      },
      { replace: true },
    )
  }
  return [filters, change]
}

/** The list, page by page, asked again by itself: soon while something moves. */
export function useTasks({ query, status, agent, whose }: Filters) {
  const { supabase } = useServed()
  return useInfiniteQuery({
    queryKey: ['tasks', { query: query.trim(), status, agent, whose }],
    initialPageParam: null as TaskRow | null,
    queryFn: async ({ pageParam: last }) => {
      const rows = await ask(
        supabase.rpc('search_tasks', {
          p_query: query.trim() || null,
          p_status: status === 'open' ? [...OPEN] : status ? [status] : null,
          p_agent: agent || null,
          p_whose: whose || null,
          p_before: last?.created_at ?? null,
          p_before_id: last?.id ?? null,
          p_limit: PAGE,
        }),
      )
      return rows as unknown as TaskRow[]
    },
    getNextPageParam: (page) => (page.length < PAGE ? null : page.at(-1)),
    placeholderData: (before) => before,
    staleTime: 2_000,
    refetchOnWindowFocus: 'always',
    refetchInterval: ({ state }) => {
      const pages = state.data?.pages ?? []
      const moves = pages.some((page) => page.some((row) => row.status === 'running' || row.status === 'pending'))
      // All pages are asked again, one after the other.
      return (moves ? 4_000 : 15_000) * Math.max(1, pages.length)
    },
  })
}

export interface Agent {
  id: string
  name: string
  description: string | null
  model_name: string
  tenant_id: string | null
  created_by: string | null
}

/** The agents that the person may ask for, the one first that is taken when none is named. */
export function useAgents() {
  const { supabase } = useServed()
  const { session } = useSession()
  const me = session?.user.id
  return useQuery({
    queryKey: ['agents', 'active', me],
    staleTime: 60_000,
    queryFn: async (): Promise<Agent[]> => {
      const rows = await ask(
        supabase
          .from('agents')
          .select('id, name, description, model_name, tenant_id, created_by, is_public')
          .eq('is_active', true)
          .order('created_at')
          .order('name'),
      )
      // An admin sees agents that are another's own, too; nobody else can use those.
      const usable = rows.filter((agent) => agent.is_public || agent.created_by === me)
      const first = usable.find((agent) => agent.tenant_id === null)
      return [...usable].sort(
        (one, other) =>
          Number(other === first) - Number(one === first) ||
          Number(one.tenant_id === null) - Number(other.tenant_id === null) ||
          one.name.localeCompare(other.name),
      )
    },
  })
}

export type Control = 'cancel_task' | 'pause_task' | 'resume_task'

/** Stop a task, pause it, let it go on. The list shows what came of it, as the database has it. */
export function useControl() {
  const { t } = useTranslation('tasks')
  const { supabase } = useServed()
  const queries = useQueryClient()
  const { tell, tellProblem } = useNotices()
  return useMutation({
    mutationFn: async ({ call, task }: { call: Control; task: TaskRow }) =>
      ask(supabase.rpc(call, { p_task: task.id })),
    onSuccess: (_, { call, task }) => tell(t(`did.${call}`, { title: quoted(task.title) })),
    onError: tellProblem,
    onSettled: () => queries.invalidateQueries({ queryKey: ['tasks'] }),
  })
}
