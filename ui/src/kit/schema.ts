import { Validator, type Schema as ValidatorSchema } from '@cfworker/json-schema'

/** Any JSON value. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

/** As much of JSON Schema as a form can show; the rest is checked all the same. */
export interface Schema {
  type?: string | string[]
  title?: string
  description?: string
  default?: Json
  const?: Json
  enum?: Json[]
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  items?: Schema
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
  $ref?: string
  $defs?: Record<string, Schema>
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  pattern?: string
  format?: string
  [keyword: string]: unknown
}

export type FieldKind = 'text' | 'number' | 'integer' | 'boolean' | 'choice' | 'fixed' | 'list' | 'object' | 'json'

/** How a field is shown: its kind, the schema that says the rest, and whether null is among its values. */
export interface Shape {
  kind: FieldKind
  schema: Schema
  nullable: boolean
}

// Deeper than this, and where a schema refers to itself, a field is edited as JSON.
const DEEPEST = 5
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The schema of a tool's arguments, as the model is given it; one that takes any object where there is none. */
export function argumentsSchema(functionSchema: unknown): Schema {
  const outer = isObject(functionSchema) ? functionSchema : {}
  const inner = isObject(outer.function) ? outer.function : outer
  return isObject(inner.parameters) ? (inner.parameters as Schema) : { type: 'object' }
}

/** What a `$ref` or a lone `allOf` stands for; null where that is somewhere else, or refers to itself. */
function resolved(schema: Schema, root: Schema, hops = 0): Schema | null {
  if (!isObject(schema) || hops > DEEPEST) return null
  const { $ref, allOf, ...beside } = schema
  if (typeof $ref === 'string') {
    if (!$ref.startsWith('#/')) return null
    let found: unknown = root
    for (const step of $ref.slice(2).split('/')) {
      const key = unescapePointer(decodeURIComponent(step))
      found = isObject(found) && Object.hasOwn(found, key) ? found[key] : undefined
    }
    const target = isObject(found) ? resolved(found as Schema, root, hops + 1) : null
    return target && { ...target, ...beside }
  }
  if (Array.isArray(allOf) && allOf.length === 1) {
    const target = resolved(allOf[0]!, root, hops + 1)
    return target && { ...target, ...beside }
  }
  return schema
}

/** What is needed comes first, in the order in which the schema names it: the database keeps no order of keys. */
export function inOrder(schema: Schema): [string, Schema][] {
  const required = schema.required ?? []
  const place = (name: string) => (required.includes(name) ? required.indexOf(name) : required.length)
  return Object.entries(schema.properties ?? {}).toSorted(([one], [other]) => place(one) - place(other))
}

/** How the field of `schema` is shown when it has `value`, so that no value is beyond what its control can hold. */
export function shapeOf(given: Schema, root: Schema, value: Json | undefined, depth = 0): Shape {
  const asJson = (schema: Schema, nullable = false): Shape => ({ kind: 'json', schema, nullable })
  let schema = resolved(given, root)
  if (!schema || depth > DEEPEST) return asJson(isObject(given) ? given : {})
  let nullable = false
  const anyOf = schema.anyOf ?? schema.oneOf
  if (Array.isArray(anyOf)) {
    const others = anyOf.filter((one) => !isObject(one) || one.type !== 'null')
    nullable = others.length < anyOf.length
    const only = others.length === 1 ? resolved(others[0]!, root) : null
    if (!only) return asJson(schema, nullable)
    const { anyOf: _any, oneOf: _one, ...beside } = schema
    schema = { ...only, ...beside }
  }
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== 'null')
    nullable ||= types.length < schema.type.length
    if (types.length !== 1) return asJson(schema, nullable)
    schema = { ...schema, type: types[0]! }
  }
  if (schema.allOf || schema.anyOf || schema.oneOf || schema.not || schema.if) return asJson(schema, nullable)
  const kind = kindOf(schema)
  return fits(kind, schema, value, nullable) ? { kind, schema, nullable } : asJson(schema, nullable)
}

function kindOf(schema: Schema): FieldKind {
  if ('const' in schema) return 'fixed'
  if (Array.isArray(schema.enum))
    return schema.enum.every((one) => !isObject(one) && !Array.isArray(one)) ? 'choice' : 'json'
  switch (schema.type) {
    case 'string':
      return 'text'
    case 'number':
    case 'integer':
    case 'boolean':
      return schema.type
    case 'array':
      return isObject(schema.items) ? 'list' : 'json'
    case 'object':
      return isObject(schema.properties) && Object.keys(schema.properties).length > 0 ? 'object' : 'json'
    default:
      return 'json'
  }
}

function fits(kind: FieldKind, schema: Schema, value: Json | undefined, nullable: boolean): boolean {
  if (value === undefined || (value === null && nullable)) return true
  switch (kind) {
    case 'text':
      return typeof value === 'string'
    case 'number':
    case 'integer':
      // What is not a number yet is kept as it was typed.
      return typeof value === 'number' || typeof value === 'string'
    case 'boolean':
      return typeof value === 'boolean'
    case 'choice':
      return schema.enum!.some((one) => one === value)
    case 'fixed':
      return same(schema.const!, value)
    case 'list':
      return Array.isArray(value)
    case 'object':
      return isObject(value)
    case 'json':
      return true
  }
}

/** Whether two JSON values are equal; the order of keys does not matter. */
export function same(one: Json | undefined, other: Json | undefined): boolean {
  if (one === other) return true
  if (Array.isArray(one) || Array.isArray(other))
    return (
      Array.isArray(one) &&
      Array.isArray(other) &&
      one.length === other.length &&
      one.every((item, at) => same(item, other[at]))
    )
  if (!isObject(one) || !isObject(other)) return false
  const keys = Object.keys(one)
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && same(one[key] as Json, other[key] as Json))
  )
}

/** What a person typed for a number: the number if it says one exactly, nothing if it is empty, else the text as it is. */
export function numberTyped(text: string): number | string | undefined {
  const trimmed = text.trim()
  if (trimmed === '') return undefined
  if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(trimmed)) return text
  const number = Number(trimmed)
  return Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number)) ? number : text
}

// Places in a value are JSON pointers: '/files/0/name', '' for the whole.
export const at = (pointer: string, key: string | number): string =>
  `${pointer}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`
const unescapePointer = (key: string): string => key.replaceAll('~1', '/').replaceAll('~0', '~')

/** What is wrong at a place: `code` and `limit` for a sentence of ours, `text` where there is none. */
export interface Wrong {
  at: string
  code:
    | 'required'
    | 'unknown'
    | 'type'
    | 'choice'
    | 'least'
    | 'most'
    | 'short'
    | 'long'
    | 'pattern'
    | 'few'
    | 'many'
    | 'other'
  limit?: string
  text: string
}

const CODES: Record<string, Wrong['code']> = {
  type: 'type',
  const: 'choice',
  enum: 'choice',
  minimum: 'least',
  exclusiveMinimum: 'least',
  maximum: 'most',
  exclusiveMaximum: 'most',
  minLength: 'short',
  maxLength: 'long',
  pattern: 'pattern',
  minItems: 'few',
  maxItems: 'many',
}
// They say that something within is wrong, which has an error of its own.
const AROUND = new Set([
  'properties',
  'items',
  'prefixItems',
  '$ref',
  'allOf',
  'patternProperties',
  'additionalProperties',
])

/** Everything in which `value` does not fit `schema`, once per place; nothing for a schema that is none. */
export function wrongIn(schema: Schema, value: Json): Wrong[] {
  let errors
  try {
    // Draft 2020-12, interpreted: a validator that compiles needs eval, which the page's policy forbids.
    errors = new Validator(schema as ValidatorSchema, '2020-12', false).validate(value).errors
  } catch {
    // Whoever runs the tool checks again.
    return []
  }
  const found = new Map<string, Wrong>()
  for (const { instanceLocation, keyword, keywordLocation, error } of errors) {
    let place = instanceLocation.replace(/^#/, '')
    let code = CODES[keyword] ?? 'other'
    if (AROUND.has(keyword)) continue
    if (keyword === 'required') {
      place = at(place, /required property "(.*)"\.$/s.exec(error)?.[1] ?? '')
      code = 'required'
    } else if (keyword === 'false') code = 'unknown'
    const limit = code === 'type' || code === 'other' ? undefined : limitAt(schema, keywordLocation)
    const wrong: Wrong = { at: decodePlace(place), code, text: error, ...(limit === undefined ? {} : { limit }) }
    const old = found.get(wrong.at)
    // Of "an alternative does not fit, because…" the because is the better word.
    if (!old || old.code === 'other' || (old.code === 'type' && code !== 'other')) found.set(wrong.at, wrong)
  }
  return [...found.values()]
}

/** The validator writes places as URI fragments. */
function decodePlace(place: string): string {
  try {
    return decodeURIComponent(place)
  } catch {
    return place
  }
}

function limitAt(root: Schema, location: string): string | undefined {
  let found: unknown = root
  for (const step of location.replace(/^.*#\/?/, '').split('/')) {
    if (!step) continue
    const key = unescapePointer(step)
    found = Array.isArray(found)
      ? found[Number(key)]
      : isObject(found) && Object.hasOwn(found, key)
        ? found[key]
        : undefined
  }
  return typeof found === 'number' || typeof found === 'string' ? String(found) : undefined
}
