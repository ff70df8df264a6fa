import { ask } from '@/data/ask'
import type { Supabase } from '@/data/client'
import type { Json, JsonObject } from '@/kit/schema'

/** A row of `audit_logs`. */
export interface AuditRow {
  id: string
  chain_seq: number
  created_at: string
  actor: string
  action: string
  resource_type: string
  resource_id: string | null
  old_values: JsonObject | null
  new_values: JsonObject | null
  tenant_id: string | null
  ip_address: string | null
  user_agent: string | null
}

/** What of the audit is wanted. Moments are local, as the browser's fields give them: 2026-01-31T12:00. */
export interface AuditFilter {
  since: string
  until: string
  actor: string
  action: string
  resource: string
  row: string
  text: string
}

export const FILTERS = ['since', 'until', 'actor', 'action', 'resource', 'row', 'text'] as const

export interface AuditPage {
  rows: AuditRow[]
  /** Where the next page begins; null after the last row. */
  next: AuditRow | null
  searched: number
}

const COLUMNS =
  'id, chain_seq, created_at, actor, action, resource_type, resource_id, old_values, new_values, tenant_id, ip_address, user_agent'
const PAGE = 50
// With a text to look for, so many rows are read for a page at most: then one asks for more.
const MOST_SEARCHED = 2_000
const READ_AT_ONCE = 500

/** The next rows, the newest first. A text is looked for here, in everything that a row says. */
export async function auditPage(
  supabase: Supabase,
  filter: AuditFilter,
  after: AuditRow | null,
  signal: AbortSignal,
): Promise<AuditPage> {
  const text = filter.text.trim().toLowerCase()
  const found: AuditRow[] = []
  let last = after
  let searched = 0
  for (;;) {
    const size = text ? READ_AT_ONCE : PAGE
    const rows = await read(supabase, filter, last, size, signal)
    searched += rows.length
    for (const row of rows) {
      last = row
      if (!text || JSON.stringify(row).toLowerCase().includes(text)) found.push(row)
      if (found.length === PAGE)
        return { rows: found, next: row === rows.at(-1) && rows.length < size ? null : row, searched }
    }
    if (rows.length < size) return { rows: found, next: null, searched }
    if (searched >= MOST_SEARCHED) return { rows: found, next: last, searched }
  }
}

async function read(
  supabase: Supabase,
  filter: AuditFilter,
  after: AuditRow | null,
  size: number,
  signal: AbortSignal,
) {
  let query = supabase.from('audit_logs').select(COLUMNS)
  if (filter.since) query = query.gte('created_at', moment(filter.since))
  if (filter.until) query = query.lt('created_at', moment(filter.until))
  // A person by its bare id, too.
  if (filter.actor)
    query = query.eq('actor', /^[0-9a-f-]{36}$/i.test(filter.actor) ? `user:${filter.actor}` : filter.actor)
  if (filter.action) query = query.eq('action', filter.action)
  if (filter.resource) query = query.eq('resource_type', filter.resource)
  if (filter.row) query = query.eq('resource_id', filter.row)
  if (after)
    query = query.or(`created_at.lt."${after.created_at}",and(created_at.eq."${after.created_at}",id.lt.${after.id})`)
  return (await ask(
    query.order('created_at', { ascending: false }).order('id', { ascending: false }).limit(size).abortSignal(signal),
  )) as unknown as AuditRow[]
}

export function moment(local: string): string {
  const time = new Date(local)
  return Number.isNaN(time.getTime()) ? local : time.toISOString()
}

export interface Head {
  tenant_id: string | null
  chain_seq: number
  hash: string
  created_at: string | null
  dropped: number
  stubs: { text: string; key_id: string; signature: string }[]
}

export interface Verdict {
  checked: number
  problem: { kind: string; seq: number | null; id: string | null; says: string } | null
}

const VERIFIED_AT_ONCE = 2_000
const EXPORTED_AT_ONCE = 500
const GENESIS = '0'.repeat(64)

/** Verify the tenant's chain, row by row, from its beginning. */
export async function verifyChain(
  supabase: Supabase,
  onRows: (checked: number) => void,
  signal: AbortSignal,
): Promise<Verdict> {
  let after: Json = null
  let checked = 0
  for (;;) {
    const part = (await ask(
      supabase.rpc('audit_verify', { p_after: after, p_limit: VERIFIED_AT_ONCE }).abortSignal(signal),
    )) as unknown as Verdict & { after: Json; done: boolean }
    checked += part.checked
    onRows(checked)
    if (part.problem || part.done) return { checked, problem: part.problem ?? null }
    after = part.after
  }
}

/** The tenant's chain as JSON lines, which `agent-runtime audit verify --file` verifies. */
export async function exportChain(
  supabase: Supabase,
  head: Head,
  filter: Pick<AuditFilter, 'since' | 'until'>,
  onRows: (exported: number) => void,
  signal: AbortSignal,
): Promise<Blob> {
  const parts: string[] = head.stubs.map(({ text, key_id, signature }) => line({ stub: text, key_id, signature }))
  let after: Json = null
  let last: { text: string; hash: string } | undefined
  let rows = 0
  for (;;) {
    const part = (await ask(
      supabase
        .rpc('audit_export', {
          p_after: after,
          p_limit: EXPORTED_AT_ONCE,
          p_since: filter.since ? moment(filter.since) : null,
          p_until: filter.until ? moment(filter.until) : null,
        })
        .abortSignal(signal),
    )) as unknown as { rows: { text: string; prev_hash: string; hash: string }[]; after: Json; done: boolean }
    parts.push(part.rows.map(({ text, prev_hash, hash }) => line({ text, prev_hash, hash })).join(''))
    last = part.rows.at(-1) ?? last
    rows += part.rows.length
    onRows(rows)
    if (part.done) break
    after = part.after
  }
  const end = last
    ? { chain_seq: (JSON.parse(last.text) as [unknown, number])[1], hash: last.hash }
    : { chain_seq: 0, hash: GENESIS }
  parts.push(line({ end: { tenant_id: head.tenant_id, ...end } }))
  return new Blob(parts, { type: 'application/jsonl' })
}

const line = (value: object): string => `${JSON.stringify(value)}\n`
