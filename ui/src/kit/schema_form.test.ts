import { describe, expect, it } from 'vitest'
import { changed, inexactNumber, switched, toDraft, typedJson, valueAt, valueOf } from './form_draft'
import { argumentsSchema, at, numberTyped, same, shapeOf, wrongIn, type Json, type Schema } from './schema'

const object = (properties: Record<string, Schema>, more: Schema = {}): Schema => ({
  type: 'object',
  properties,
  ...more,
})
const kind = (schema: Schema, value?: Json, root: Schema = schema) => shapeOf(schema, root, value).kind
const codes = (schema: Schema, value: Json) =>
  wrongIn(schema, value).map((one) => `${one.at} ${one.code} ${one.limit ?? ''}`.trim())

describe('how a field is shown', () => {
  it('follows the schema', () => {
    expect(kind({ type: 'string' })).toBe('text')
    expect(kind({ type: 'integer' })).toBe('integer')
    expect(kind({ enum: ['a', null, 3] })).toBe('choice')
    expect(kind({ const: { a: 1 } })).toBe('fixed')
    expect(kind({ type: 'array', items: { type: 'string' } })).toBe('list')
    expect(kind(object({ a: {} }))).toBe('object')
  })
  it('is JSON for what no control can hold', () => {
    for (const schema of [
      {},
      { type: 'object' },
      { type: 'array' },
      { enum: [{ a: 1 }] },
      { $ref: 'https://example.org/x' },
      { type: ['string', 'number'] },
      { anyOf: [{ type: 'string' }, { type: 'array', items: {} }] },
      { not: {} },
    ] as Schema[])
      expect(kind(schema), JSON.stringify(schema)).toBe('json')
  })
  it('is JSON where the value is not what the schema says, so that it is not lost', () => {
    expect(kind({ type: 'string' }, 5)).toBe('json')
    expect(kind({ type: 'boolean' }, 'yes')).toBe('json')
    expect(kind({ enum: ['a'] }, 'b')).toBe('json')
    expect(kind({ const: 1 }, 2)).toBe('json')
    expect(kind({ type: 'array', items: {} }, { a: 1 })).toBe('json')
    expect(kind({ type: 'string' }, null)).toBe('json')
  })
  it('sees through null and references', () => {
    const root = object({}, { $defs: { name: { type: 'string', maxLength: 3 }, 'a/b': { type: 'integer' } } })
    expect(shapeOf({ anyOf: [{ $ref: '#/$defs/name' }, { type: 'null' }], default: null }, root, null)).toMatchObject({
      kind: 'text',
      nullable: true,
      schema: { maxLength: 3, default: null },
    })
    expect(kind({ $ref: '#/$defs/a~1b' }, 1, root)).toBe('integer')
    expect(kind({ allOf: [{ $ref: '#/$defs/name' }] }, 'x', root)).toBe('text')
    expect(shapeOf({ type: ['integer', 'null'] }, root, 3)).toMatchObject({ kind: 'integer', nullable: true })
  })
  it('ends where a schema refers to itself or to nothing', () => {
    expect(kind({ $ref: '#' })).toBe('json')
    expect(kind({ $ref: '#/$defs/x' }, 1, { $defs: { x: { $ref: '#/$defs/x' } } })).toBe('json')
    expect(kind({ $ref: '#/$defs/constructor' })).toBe('json')
  })
  it('finds the arguments of a tool, and takes any where there is no schema', () => {
    expect(
      argumentsSchema({ type: 'function', function: { parameters: { type: 'object', properties: { a: {} } } } })
        .properties,
    ).toEqual({ a: {} })
    for (const none of [null, 3, 'x', [], { function: 1 }, { function: { parameters: [] } }])
      expect(argumentsSchema(none)).toEqual({ type: 'object' })
  })
})

describe('what is wrong', () => {
  const schema = object(
    {
      n: { type: 'integer', minimum: 1, maximum: 9 },
      s: { type: 'string', minLength: 2, pattern: '^a' },
      e: { enum: ['x'] },
      l: { type: 'array', items: { type: 'number' }, maxItems: 2 },
      o: object({ 'a/b c': { type: 'string' } }, { required: ['a/b c'] }),
      u: { anyOf: [{ type: 'string', maxLength: 2 }, { type: 'null' }] },
    },
    { required: ['n'], additionalProperties: false },
  )
  it('is said at the field, once', () => {
    expect(codes(schema, {})).toEqual(['/n required'])
    expect(codes(schema, { n: 0 })).toEqual(['/n least 1'])
    expect(codes(schema, { n: 1.5 })).toEqual(['/n type'])
    expect(codes(schema, { n: 1, s: 'a' })).toEqual(['/s short 2'])
    expect(codes(schema, { n: 1, s: 'bb' })).toEqual(['/s pattern ^a'])
    expect(codes(schema, { n: 1, e: 'y' })).toEqual(['/e choice'])
    expect(codes(schema, { n: 1, l: [1, 'x'] })).toEqual(['/l/1 type'])
    expect(codes(schema, { n: 1, l: [1, 2, 3] })).toEqual(['/l many 2'])
    expect(codes(schema, { n: 1, other: 1 })).toEqual(['/other unknown'])
    expect(codes(schema, { n: 1, u: 'long' })).toEqual([expect.stringMatching(/^\/u (long|type)/)])
    expect(codes(schema, { n: 1, u: null })).toEqual([])
  })
  it('names places with any key', () => {
    expect(codes(schema, { n: 1, o: {} })).toEqual([`${at('/o', 'a/b c')} required`])
    expect(codes(schema, { n: 1, o: { 'a/b c': 1 } })).toEqual([`${at('/o', 'a/b c')} type`])
    expect(codes(object({ 'ñ#%~': { type: 'string' } }), { 'ñ#%~': 1 })).toEqual([`${at('', 'ñ#%~')} type`])
  })
  it('is nothing for a schema that is none: the tool checks again', () => {
    expect(wrongIn({ type: 'string', pattern: '(' }, 'x')).toEqual([])
    expect(wrongIn({ $ref: '#/nowhere' }, {})).toEqual([])
  })
})

describe('a draft', () => {
  it('keeps unknown keys and gives back what it was given', () => {
    const value = { command: 'ls', secret: { deep: [1, null, 'x'] }, __proto__x: 1 }
    const there = switched(toDraft(value))
    expect(there.mode).toBe('json')
    expect(switched(there).value).toEqual(value)
    expect(changed(toDraft(value), '/command', 'pwd').value).toEqual({ ...value, command: 'pwd' })
  })
  it('does not switch where that would lose what was typed', () => {
    for (const text of ['{"a": ', '[1]', '3', '', 'null']) {
      const typed = { ...switched(toDraft({ a: 1 })), text }
      expect(switched(typed)).toBe(typed)
      expect(valueOf(typed)).toHaveProperty('unreadable')
    }
    const half = typedJson(toDraft({ a: 1, b: [] }), '/b', '[1, ')
    expect(half).toMatchObject({ value: { a: 1, b: [] }, texts: { '/b': '[1, ' } })
    expect(switched(half)).toBe(half)
    expect(valueOf(half)).toMatchObject({ unreadable: { at: '/b', problem: 'notJson' } })
    expect(typedJson(half, '/b', '[1, 2]')).toMatchObject({ value: { a: 1, b: [1, 2] }, texts: {} })
  })
  it('changes, makes and leaves out at any depth, and nothing else', () => {
    const draft = toDraft({ list: [{ a: 1 }, { a: 2 }], 'x/y': { '~': 1 } })
    expect(changed(draft, '/list/1/a', 5).value).toEqual({ list: [{ a: 1 }, { a: 5 }], 'x/y': { '~': 1 } })
    expect(changed(draft, '/list/0', undefined).value).toEqual({ list: [{ a: 2 }], 'x/y': { '~': 1 } })
    expect(changed(draft, `${at('', 'x/y')}/${'~0'}`, 2).value).toMatchObject({ 'x/y': { '~': 2 } })
    expect(changed(draft, '/new/deep', 1).value).toMatchObject({ new: { deep: 1 } })
    expect(changed(draft, '/nothing', undefined).value).toEqual(draft.value)
    expect(draft.value.list).toHaveLength(2)
    expect(valueAt(draft.value, '/list/1/a')).toBe(2)
    expect(valueAt(draft.value, '/constructor')).toBeUndefined()
  })
  it('keeps what is no number yet as it was typed', () => {
    expect(numberTyped(' 12 ')).toBe(12)
    expect(numberTyped('1.50')).toBe(1.5)
    expect(numberTyped('')).toBeUndefined()
    for (const text of ['1.', '-', '0x10', 'Infinity', '1e999', '12345678901234567890', '٣'])
      expect(numberTyped(text)).toBe(text)
  })
  it('does not let a browser round a number', () => {
    expect(inexactNumber('{"id": 12345678901234567890}')).toBe('12345678901234567890')
    expect(inexactNumber('[0.12345678901234567891]')).toBe('0.12345678901234567891')
    for (const text of [
      '{"id": "12345678901234567890"}',
      '[1e300, 0.1, 9007199254740991, 10000000000000000000000, -3.5]',
      '{"12345678901234567890": 1}',
    ])
      expect(inexactNumber(text)).toBeUndefined()
    const typed = { ...switched(toDraft({})), text: '{"id": 12345678901234567890}' }
    expect(valueOf(typed)).toMatchObject({ unreadable: { problem: 'inexact' } })
  })
  it('compares without regard to the order of keys', () => {
    expect(same({ a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1 })).toBe(true)
    expect(same([1], { 0: 1 })).toBe(false)
    expect(same({ a: 1 }, { b: 1 })).toBe(false)
    expect(same(null, {})).toBe(false)
  })
})
