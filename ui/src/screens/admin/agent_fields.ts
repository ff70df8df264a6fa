import { inexactNumber, readJson, written } from '@/kit/form_draft'
import { numberTyped, same, type Json, type JsonObject } from '@/kit/schema'

/** Where a tool may send without asking, whatever the task has read. An alias, which is a Json; an interface is none. */
export type OutwardPermission = {
  tool: string
  destination: string
  /** Arguments that have to stand in what the person wrote, too. */
  bound?: string[]
}

/** A row of `agents`. */
export interface AgentRow {
  id: string
  name: string
  description: string | null
  system_prompt: string
  model_name: string
  temperature: number
  max_tokens: number
  memory_enabled: boolean
  memory_limit: number
  tools_enabled: string[]
  standing_permissions: string[]
  outward_permissions: OutwardPermission[]
  configuration: JsonObject
  is_public: boolean
  is_active: boolean
  created_by: string | null
  tenant_id: string | null
  updated_at: string
}

/** What of an agent is edited, as columns. */
export type AgentColumns = Omit<AgentRow, 'id' | 'created_by' | 'tenant_id' | 'updated_at'>

export const LIMITS = [
  'steps',
  'tool_calls',
  'wall_seconds',
  'model_tokens',
  'output_tokens',
  'output_bytes',
  'child_tasks',
  'child_tasks_at_once',
  'child_depth',
] as const
const NUMBERS = ['temperature', 'max_tokens', 'memory_limit'] as const

/** The same as a person types it: numbers are texts, limits have fields of their own, what else is configured is JSON. */
export interface AgentFields extends Omit<AgentColumns, (typeof NUMBERS)[number] | 'configuration' | 'description'> {
  description: string
  temperature: string
  max_tokens: string
  memory_limit: string
  limits: Record<string, string>
  other: string
  /** An outward permission that is typed and not added yet. */
  permitting: Required<OutwardPermission>
}

export const NO_PERMISSION: Required<OutwardPermission> = { tool: '', destination: '', bound: [] }

export const NEW_AGENT: AgentColumns = {
  name: '',
  description: null,
  system_prompt: '',
  model_name: 'default',
  temperature: 0.7,
  max_tokens: 4096,
  memory_enabled: true,
  memory_limit: 10000,
  tools_enabled: [],
  standing_permissions: [],
  outward_permissions: [],
  configuration: {},
  is_public: false,
  is_active: true,
}

export function columnsOf(row: AgentRow): AgentColumns {
  const { id: _id, created_by: _by, tenant_id: _tenant, updated_at: _at, ...columns } = row
  const wanted = Object.keys(NEW_AGENT)
  // A decimal comes as a text.
  return Object.fromEntries(
    Object.entries({ ...columns, temperature: Number(columns.temperature) }).filter(([name]) => wanted.includes(name)),
  ) as unknown as AgentColumns
}

export function fieldsOf(columns: AgentColumns): AgentFields {
  const { limits, ...other } = columns.configuration
  const { temperature, max_tokens, memory_limit, configuration: _all, ...rest } = columns
  return {
    ...rest,
    description: columns.description ?? '',
    temperature: String(temperature),
    max_tokens: String(max_tokens),
    memory_limit: String(memory_limit),
    limits: Object.fromEntries(
      Object.entries(typeof limits === 'object' && limits !== null ? limits : {}).map(([name, value]) => [
        name,
        String(value),
      ]),
    ),
    other: Object.keys(other).length ? written(other) : '',
    permitting: NO_PERMISSION,
  }
}

export type WrongField =
  | 'name'
  | 'system_prompt'
  | 'temperature'
  | 'max_tokens'
  | 'memory_limit'
  | 'other'
  | 'permitting'
  | `limits.${string}`

/** The columns that the fields say, or which fields say nothing. What they may be is for the database to say. */
export function readFields(fields: AgentFields): { columns: AgentColumns } | { wrong: Set<WrongField> } {
  const wrong = new Set<WrongField>()
  if (!fields.name.trim()) wrong.add('name')
  if (!fields.system_prompt.trim()) wrong.add('system_prompt')
  if (fields.permitting.destination.trim()) wrong.add('permitting')
  const numbers = Object.fromEntries(
    NUMBERS.map((name) => {
      const value = numberTyped(fields[name])
      if (typeof value !== 'number') wrong.add(name)
      return [name, value]
    }),
  )
  const limits: JsonObject = {}
  for (const [name, text] of Object.entries(fields.limits)) {
    const value = numberTyped(text)
    if (typeof value === 'number') limits[name] = value
    else if (value !== undefined) wrong.add(`limits.${name}`)
  }
  let other: Json = {}
  if (fields.other.trim()) {
    const read = readJson(fields.other)
    if (
      'detail' in read ||
      typeof read.value !== 'object' ||
      read.value === null ||
      Array.isArray(read.value) ||
      inexactNumber(fields.other)
    )
      wrong.add('other')
    else other = read.value
  }
  if (wrong.size) return { wrong }
  const { limits: _limits, other: _other, permitting: _permitting, ...rest } = fields
  return {
    columns: {
      ...rest,
      ...(numbers as { temperature: number; max_tokens: number; memory_limit: number }),
      name: fields.name.trim(),
      model_name: fields.model_name.trim() || 'default',
      description: fields.description.trim() || null,
      configuration: { ...(other as JsonObject), ...(Object.keys(limits).length ? { limits } : {}) },
    },
  }
}

/** Those columns that differ. */
export function changesBetween(before: AgentColumns, after: AgentColumns): Partial<AgentColumns> {
  const names = Object.keys(after) as (keyof AgentColumns)[]
  return Object.fromEntries(
    names.filter((name) => !same(before[name] as Json, after[name] as Json)).map((name) => [name, after[name]]),
  )
}
