import { keepPreviousData, useMutation, useQuery, useQueryClient, type QueryClient } from '@tanstack/react-query'
import { ask } from '@/data/ask'
import { useServed, type Supabase } from '@/data/client'
import { Refused } from '@/data/problem'
import type { JsonObject } from '@/kit/schema'
import { useSession } from '@/session/session'

export interface Decision {
  id: string
  user_id: string | null
  name: string | null
  is_me: boolean
  verdict: 'approved' | 'denied' | 'happened' | 'did_not_happen'
  reason: string | null
  created_at: string
  /** Of the arguments as they are now; earlier approvals were of others. */
  counts: boolean
}

/** Why a call needs a person though its tool does not: it goes out of a task that has read something from outside. */
export interface Gate {
  destinations: string[]
  sources: { source: string; tool?: string; step?: number }[]
}

/** A tool call that a person decides about or has decided about. */
export interface Call {
  id: string
  status: string
  task_id: string
  task_title: string
  task_status: string
  agent_name: string | null
  owner_name: string | null
  is_mine: boolean
  tool_name: string
  display_name: string
  security_level: 'safe' | 'moderate' | 'dangerous'
  function_schema: unknown
  step: number
  why: string | null
  arguments: JsonObject
  original_arguments: JsonObject | null
  /** The arguments as the database writes them: numbers in it may have more digits than a browser keeps. */
  arguments_text: string
  input_digest: string
  asked_at: string | null
  approval_expires_at: string | null
  approvals_needed: number
  approvals_given: number
  approved_by_me: boolean
  decisions: Decision[]
  error_message: string | null
  gate: Gate | null
  /** Of the tool, and of the task by now: it may have read something since the call was made. */
  outward: boolean
  tainted: boolean
  taint_sources: Gate['sources']
  /** Whether this person may decide; others see it, too. */
  waits_for_me: boolean
}

/** A call in the list; `gone` when it waits no more, so that it does not vanish under the reader. */
export interface ListedCall extends Call {
  gone: boolean
}

const EVERY_MS = 4_000
const AT_ONCE = 500
const WAITING = '*, arguments_text:arguments::text'
export const OPEN = ['awaiting_approval', 'in_doubt']

/** What waits for this person, over all tasks: those first whose time is over first, new ones behind what is being read. */
export function useWaitingCalls() {
  const { supabase } = useServed()
  const { session } = useSession()
  const queries = useQueryClient()
  const queryKey = ['waiting', 'calls', session?.user.id]
  return useQuery({
    queryKey,
    refetchInterval: EVERY_MS,
    refetchOnWindowFocus: 'always',
    queryFn: async (): Promise<ListedCall[]> => {
      const rows = (await ask(
        supabase
          .from('waiting_executions')
          .select(WAITING)
          .order('approval_expires_at', { nullsFirst: true })
          .order('task_id')
          .order('step')
          .order('call_index')
          .limit(AT_ONCE),
      )) as unknown as Call[]
      return merged(queries.getQueryData<ListedCall[]>(queryKey) ?? [], rows.map(waiting))
    },
  })
}

const waiting = (row: Call): Call => ({ ...row, error_message: null, waits_for_me: true })

/** The list as it was, with what is new at its end and what is gone in its place. */
export function merged(old: readonly ListedCall[], now: readonly Call[]): ListedCall[] {
  const byId = new Map(now.map((call) => [call.id, call]))
  const kept = old.map((call) => {
    const next = byId.get(call.id)
    byId.delete(call.id)
    return next ? { ...next, gone: false } : { ...call, gone: true }
  })
  return [...kept, ...[...byId.values()].map((call) => ({ ...call, gone: false }))]
}

/** Take what waits no more off the list. */
export function useTidyUp() {
  const queries = useQueryClient()
  const { session } = useSession()
  return () =>
    queries.setQueryData<ListedCall[]>(['waiting', 'calls', session?.user.id], (old) =>
      old?.filter((call) => !call.gone),
    )
}

/** One call, also when it is decided. Asked again while it can change. */
export function useCall(id: string) {
  const { supabase } = useServed()
  const { session } = useSession()
  const queries = useQueryClient()
  const me = session?.user.id
  return useQuery({
    queryKey: ['call', id, me],
    placeholderData: (old) =>
      keepPreviousData(old) ??
      queries.getQueryData<ListedCall[]>(['waiting', 'calls', me])?.find((call) => call.id === id),
    refetchInterval: (query) => (!query.state.data || OPEN.includes(query.state.data.status) ? EVERY_MS : false),
    refetchOnWindowFocus: 'always',
    queryFn: async (): Promise<Call> => {
      const [row] = (await ask(supabase.from('waiting_executions').select(WAITING).eq('id', id))) as unknown as Call[]
      return row ? waiting(row) : await decidedCall(supabase, id, me)
    },
  })
}

const COLUMNS = `id, status, task_id, step, input_parameters, arguments_text:input_parameters::text, original_parameters, input_digest, error_message, approval_expires_at,
  approvals_needed, gate, tools(name, display_name, security_level, function_schema), tasks!tool_executions_task_id_fkey(title, status, user_id),
  messages(content, created_at), execution_decisions(id, user_id, verdict, reason, created_at, input_digest)`

interface ExecutionRow {
  id: string
  status: string
  task_id: string
  step: number
  input_parameters: JsonObject
  arguments_text: string
  original_parameters: JsonObject | null
  input_digest: string
  error_message: string | null
  approval_expires_at: string | null
  approvals_needed: number
  gate: Gate | null
  tools: Pick<Call, 'display_name' | 'security_level' | 'function_schema'> & { name: string }
  tasks: { title: string; status: string; user_id: string }
  messages: { content: string; created_at: string } | null
  execution_decisions: (Omit<Decision, 'name' | 'is_me' | 'counts'> & { input_digest: string })[]
}

/** A call that does not wait for this person: decided, somebody else's to decide, or done. Throws `Refused` where there is none. */
async function decidedCall(supabase: Supabase, id: string, me: string | undefined): Promise<Call> {
  const [row] = (await ask(
    supabase.from('tool_executions').select(COLUMNS.replaceAll(/\s+/g, ' ')).eq('id', id),
  )) as unknown as ExecutionRow[]
  if (!row) throw new Refused('notFound', `there is no tool execution ${id}`)
  const people = (await ask(supabase.rpc('task_people', { p_task: row.task_id }))) as unknown as {
    user_id: string
    name: string
  }[]
  const names = new Map(people.map((one) => [one.user_id, one.name]))
  const decisions = row.execution_decisions
    .map((one) => ({
      ...one,
      name: (one.user_id && names.get(one.user_id)) || null,
      is_me: one.user_id === me,
      counts: one.input_digest === row.input_digest,
    }))
    .toSorted((one, other) => one.created_at.localeCompare(other.created_at))
  const approvers = new Set(
    decisions.filter((one) => one.verdict === 'approved' && one.counts).map((one) => one.user_id),
  )
  return {
    id: row.id,
    status: row.status,
    task_id: row.task_id,
    task_title: row.tasks.title,
    task_status: row.tasks.status,
    agent_name: null,
    owner_name: names.get(row.tasks.user_id) ?? null,
    is_mine: row.tasks.user_id === me,
    tool_name: row.tools.name,
    display_name: row.tools.display_name,
    security_level: row.tools.security_level,
    function_schema: row.tools.function_schema,
    step: row.step,
    why: row.messages?.content ?? null,
    arguments: row.input_parameters,
    original_arguments: row.original_parameters,
    arguments_text: row.arguments_text,
    input_digest: row.input_digest,
    asked_at: row.messages?.created_at ?? null,
    approval_expires_at: row.approval_expires_at,
    approvals_needed: row.approvals_needed,
    approvals_given: approvers.size,
    approved_by_me: approvers.has(me ?? null),
    decisions,
    error_message: row.error_message,
    gate: row.gate,
    outward: false,
    tainted: false,
    taint_sources: [],
    waits_for_me: false,
  }
}

export type Act =
  | { kind: 'approve'; reason: string; arguments?: JsonObject | undefined }
  | { kind: 'deny'; reason: string }
  | { kind: 'settle'; happened: boolean; result: string }
  | { kind: 'stop' }

/** Say a word about a call. It names the arguments that were seen, so that nobody decides about what somebody else just changed. */
export function useAct(call: Call, onDone: (act: Act, row: { input_digest?: string }) => void) {
  const { supabase } = useServed()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: async (act: Act) => {
      if (act.kind === 'stop') return await ask(supabase.rpc('cancel_task', { p_task: call.task_id }))
      if (act.kind === 'settle')
        return await ask(
          supabase.rpc('settle_execution', {
            p_execution: call.id,
            p_happened: act.happened,
            p_result: act.result.trim() || null,
          }),
        )
      return await ask(
        supabase.rpc('decide_execution', {
          p_execution: call.id,
          p_approve: act.kind === 'approve',
          p_reason: act.reason.trim() || null,
          p_arguments: act.kind === 'approve' ? (act.arguments ?? null) : null,
          p_digest: call.input_digest,
        }),
      )
    },
    onSuccess: (row, act) => onDone(act, row as { input_digest?: string }),
    // Also after a refusal: then it is not what was shown.
    onSettled: () => askAgain(queries, call.id),
  })
}

function askAgain(queries: QueryClient, id: string): Promise<unknown> {
  return Promise.all([
    queries.invalidateQueries({ queryKey: ['call', id] }),
    queries.invalidateQueries({ queryKey: ['waiting'] }),
  ])
}
