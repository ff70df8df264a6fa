import { type Json, type JsonObject } from './schema'

/**
 * What a person has made of a value so far: in the form, or as JSON text. It is plain data, so that it can be kept over reloads.
 * `texts` holds, by place, JSON that was typed for one field and is not JSON yet.
 */
export interface FormDraft {
  mode: 'form' | 'json'
  value: JsonObject
  text: string
  texts: Record<string, string>
}

/** Why a draft is no value (yet): its JSON text, or that of the field at `at`, cannot be read. */
export interface Unreadable {
  at: string
  problem: 'empty' | 'notJson' | 'notObject' | 'inexact'
  detail: string
}

export const toDraft = (value: JsonObject): FormDraft => ({ mode: 'form', value, text: '', texts: {} })

export const written = (value: Json): string => JSON.stringify(value, null, 2)

/** The value of the draft as it stands, or why it has none. */
export function valueOf(draft: FormDraft): { value: JsonObject } | { unreadable: Unreadable } {
  if (draft.mode === 'form') {
    const [place, text] = Object.entries(draft.texts)[0] ?? []
    if (place === undefined) return { value: draft.value }
    return { unreadable: unreadable(place, readJson(text!)) }
  }
  if (!draft.text.trim()) return { unreadable: { at: '', problem: 'empty', detail: '' } }
  const read = readJson(draft.text)
  if ('detail' in read) return { unreadable: unreadable('', read) }
  if (typeof read.value !== 'object' || read.value === null || Array.isArray(read.value))
    return { unreadable: { at: '', problem: 'notObject', detail: '' } }
  return { value: read.value }
}

function unreadable(place: string, read: ReturnType<typeof readJson>): Unreadable {
  if (!('detail' in read)) return { at: place, problem: 'notJson', detail: '' }
  return { at: place, problem: read.inexact ? 'inexact' : 'notJson', detail: read.detail }
}

/** The draft in the other mode; unchanged where that would lose what was typed. */
export function switched(draft: FormDraft): FormDraft {
  const now = valueOf(draft)
  if ('unreadable' in now) return draft
  return draft.mode === 'form'
    ? { mode: 'json', value: now.value, text: written(now.value), texts: {} }
    : { mode: 'form', value: now.value, text: '', texts: {} }
}

/** The draft with another value at a place; undefined leaves the key or the item out. */
export function changed(draft: FormDraft, place: string, value: Json | undefined): FormDraft {
  const whole = put(draft.value, steps(place), value) as JsonObject
  const within = (other: string) => other === place || other.startsWith(`${place}/`)
  // Items behind one that was left out have other places now, and lists keep no half-typed text for that reason.
  const around = place.slice(0, place.lastIndexOf('/'))
  const shifts = value === undefined && /\/\d+$/.test(place)
  const texts = Object.fromEntries(
    Object.entries(draft.texts).filter(([other]) => !within(other) && !(shifts && other.startsWith(`${around}/`))),
  )
  return { ...draft, value: whole, texts }
}

/** The draft after JSON was typed for the field at a place: its value once it is JSON, kept as text until then. */
export function typedJson(draft: FormDraft, place: string, text: string): FormDraft {
  const read = readJson(text)
  if ('detail' in read) return { ...draft, texts: { ...draft.texts, [place]: text } }
  return changed(draft, place, read.value)
}

/** The first number of a JSON text that a browser would keep as another one, as an id of twenty digits. */
export function inexactNumber(text: string): string | undefined {
  const numbers = text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').match(/-?\d+(\.\d+)?([eE][+-]?\d+)?/g) ?? []
  return numbers.find((one) => {
    const digits = one
      .replace(/[eE].*$/, '')
      .replaceAll(/[-.]/g, '')
      .replace(/^0+/, '')
      .replace(/0+$/, '')
    return (
      digits.length > 15 &&
      !String(Number(one)).replaceAll(/[-.]/g, '').replace(/e.*$/, '').replace(/^0+/, '').startsWith(digits)
    )
  })
}

export function readJson(text: string): { value: Json } | { detail: string; inexact?: boolean } {
  try {
    const value = JSON.parse(text) as Json
    const inexact = inexactNumber(text)
    return inexact ? { detail: inexact, inexact: true } : { value }
  } catch (error) {
    return { detail: error instanceof Error ? error.message : String(error) }
  }
}

export function valueAt(value: Json | undefined, place: string): Json | undefined {
  let found: Json | undefined = value
  for (const step of steps(place)) {
    if (typeof found !== 'object' || found === null) return undefined
    found = Array.isArray(found) ? found[Number(step)] : Object.hasOwn(found, step) ? found[step] : undefined
  }
  return found
}

function steps(place: string): string[] {
  return place
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function put(into: Json | undefined, path: string[], value: Json | undefined): Json | undefined {
  const [first, ...rest] = path
  if (first === undefined) return value
  if (Array.isArray(into)) {
    const copy = [...into]
    const next = put(copy[Number(first)], rest, value)
    if (next === undefined) copy.splice(Number(first), 1)
    else copy[Number(first)] = next
    return copy
  }
  const object = typeof into === 'object' && into !== null ? into : {}
  const next = put(Object.hasOwn(object, first) ? object[first] : undefined, rest, value)
  if (next === undefined) return Object.fromEntries(Object.entries(object).filter(([key]) => key !== first))
  return { ...object, [first]: next }
}
