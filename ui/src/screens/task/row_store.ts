import { createContext, useCallback, useContext, useEffect, useSyncExternalStore } from 'react'
import { ask } from '@/data/ask'
import type { Supabase } from '@/data/client'
import type { Call } from '@/live/fold'

/** What a card shows of a tool call that its events do not say. */
export interface CallRow {
  id: string
  input_parameters: Record<string, unknown>
  original_parameters: Record<string, unknown> | null
  approval_expires_at: string | null
}

export interface MessageRow {
  id: string
  role: string
  content: string
  metadata: {
    thinking?: string
    model?: string
    execution_id?: string
    num_ctx?: number
    usage?: { prompt_tokens?: number; output_tokens?: number }
    files?: { filename: string }[]
  }
}

interface Kept<Row> {
  row: Row | null
  /** It was asked for after this event. */
  asOf: number
}

const TOGETHER_MS = 16
const AT_ONCE = 50
const KEPT = 1_500
const AGAIN_MS = [1_000, 3_000, 10_000]

/**
 * Rows that events only name, read when something on the screen wants them: many in one question, kept, and read again
 * when a later event says that they changed. What was read stays on the screen until then.
 */
export class RowStore {
  private readonly calls = new Map<string, Kept<CallRow>>()
  private readonly messages = new Map<string, Kept<MessageRow>>()
  private readonly wanted = new Map<string, number>()
  private readonly listeners = new Map<string, Set<() => void>>()
  private timer: ReturnType<typeof setTimeout> | undefined
  private reading = false
  private failures = 0

  constructor(private readonly supabase: Supabase) {}

  call = (id: string): CallRow | null | undefined => this.calls.get(id)?.row
  message = (id: string): MessageRow | null | undefined => this.messages.get(id)?.row

  wantCall(id: string, asOf: number): void {
    if ((this.calls.get(id)?.asOf ?? -1) < asOf) this.want(`c${id}`, asOf)
  }

  wantMessage(id: string): void {
    if (!this.messages.has(id)) this.want(`m${id}`, 0)
  }

  subscribe(key: string, listener: () => void): () => void {
    const all = this.listeners.get(key) ?? new Set()
    this.listeners.set(key, all.add(listener))
    return () => {
      all.delete(listener)
      if (!all.size) this.listeners.delete(key)
    }
  }

  private want(key: string, asOf: number): void {
    this.wanted.set(key, Math.max(asOf, this.wanted.get(key) ?? 0))
    if (!this.reading) this.timer ??= setTimeout(() => void this.read(), TOGETHER_MS)
  }

  private async read(): Promise<void> {
    this.timer = undefined
    this.reading = true
    // The newest wishes first: they are what is in view now.
    const batch = [...this.wanted].slice(-AT_ONCE)
    for (const [key] of batch) this.wanted.delete(key)
    const of = (kind: string) =>
      batch.filter(([key]) => key.startsWith(kind)).map(([key, asOf]) => [key.slice(1), asOf] as const)
    let waitMs = 0
    try {
      await Promise.all([this.readCalls(of('c')), this.readMessages(of('m'))])
      this.failures = 0
    } catch {
      // What is wanted is asked for until it can be had; the head of the screen says that nobody answers.
      for (const [key, asOf] of batch) if (!this.wanted.has(key)) this.wanted.set(key, asOf)
      waitMs = AGAIN_MS[Math.min(this.failures++, AGAIN_MS.length - 1)]!
    }
    this.reading = false
    if (this.wanted.size) this.timer ??= setTimeout(() => void this.read(), waitMs)
  }

  private async readCalls(wanted: (readonly [string, number])[]): Promise<void> {
    if (!wanted.length) return
    const rows = (await ask(
      this.supabase
        .from('tool_executions')
        .select('id, input_parameters, original_parameters, approval_expires_at')
        .in(
          'id',
          wanted.map(([id]) => id),
        ),
    )) as unknown as CallRow[]
    this.keep(this.calls, 'c', wanted, rows)
  }

  private async readMessages(wanted: (readonly [string, number])[]): Promise<void> {
    if (!wanted.length) return
    const rows = (await ask(
      this.supabase
        .from('messages')
        .select('id, role, content, metadata')
        .in(
          'id',
          wanted.map(([id]) => id),
        ),
    )) as unknown as MessageRow[]
    this.keep(this.messages, 'm', wanted, rows)
  }

  private keep<Row extends { id: string }>(
    kept: Map<string, Kept<Row>>,
    kind: string,
    wanted: (readonly [string, number])[],
    rows: Row[],
  ): void {
    const found = new Map(rows.map((row) => [row.id, row]))
    for (const [id, asOf] of wanted) {
      kept.delete(id)
      kept.set(id, { row: found.get(id) ?? null, asOf })
    }
    // The oldest that nobody shows are let go.
    for (const id of kept.keys()) {
      if (kept.size <= KEPT) break
      if (!this.listeners.has(kind + id)) kept.delete(id)
    }
    for (const [id] of wanted) for (const tell of this.listeners.get(kind + id) ?? []) tell()
  }
}

export const RowStoreContext = createContext<RowStore | null>(null)

function useRowStore(): RowStore {
  const store = useContext(RowStoreContext)
  if (!store) throw new Error('no rows here')
  return store
}

/** A call's row: undefined until it was read, null where it may not be seen. */
export function useCallRow(call: Pick<Call, 'id' | 'lastEvent'>): CallRow | null | undefined {
  const store = useRowStore()
  const { id, lastEvent } = call
  useEffect(() => store.wantCall(id, lastEvent), [store, id, lastEvent])
  return useSyncExternalStore(
    useCallback((tell) => store.subscribe(`c${id}`, tell), [store, id]),
    () => store.call(id),
  )
}

/** A message's row: undefined until it was read, null where it may not be seen. */
export function useMessageRow(id: string | null): MessageRow | null | undefined {
  const store = useRowStore()
  useEffect(() => {
    if (id) store.wantMessage(id)
  }, [store, id])
  return useSyncExternalStore(
    useCallback((tell) => (id ? store.subscribe(`m${id}`, tell) : () => undefined), [store, id]),
    () => (id ? store.message(id) : null),
  )
}

/** What the model was told that the call brought; undefined until it was read, null while there is nothing. */
export function useCallContent(callId: string, resultIds: readonly string[] | undefined): string | null | undefined {
  const store = useRowStore()
  useEffect(() => resultIds?.forEach((id) => store.wantMessage(id)), [store, resultIds])
  return useSyncExternalStore(
    useCallback(
      (tell) => {
        const ends = (resultIds ?? []).map((id) => store.subscribe(`m${id}`, tell))
        return () => ends.forEach((end) => end())
      },
      [store, resultIds],
    ),
    () => {
      let content: string | null | undefined = null
      for (const id of resultIds ?? []) {
        const row = store.message(id)
        // Later ones say more: a doubt that was settled.
        if (row?.metadata.execution_id === callId) content = row.content
        else if (row === undefined && content === null) content = undefined
      }
      return content
    },
  )
}
