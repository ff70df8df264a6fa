import { ENDED, type Entry, type Timeline } from '@/live/fold'
import type { Streaming } from '@/live/use_timeline'
import { CONTROL } from './words'

/** A line of the list: what happened, what is being said now, or how it ended. */
export type Row = { key: string | number; entry: Entry } | { key: 'streaming' } | { key: 'end' }

const WRITES = new Set(['file_write', 'file_edit', 'archive_unpack'])

/** What the list shows of a timeline, in order. */
export function rowsOf(timeline: Timeline, streaming: Streaming | null): Row[] {
  const rows: Row[] = []
  for (const entry of timeline.entries) if (isShown(entry, timeline)) rows.push({ key: entry.event, entry })
  if (streaming && (streaming.content || streaming.thinking)) rows.push({ key: 'streaming' })
  if (ENDED.has(timeline.status)) rows.push({ key: 'end' })
  return rows
}

function isShown(entry: Entry, timeline: Timeline): boolean {
  switch (entry.type) {
    case 'call': {
      const call = timeline.calls[entry.id]
      // What a control tool did has a line of its own; that it could not be done has none but this.
      return (
        !!call &&
        (!CONTROL.has(call.tool) ||
          call.tool === 'message_ask' ||
          ['failed', 'denied', 'awaiting_approval', 'in_doubt'].includes(call.status))
      )
    }
    case 'status':
      return !ENDED.has(entry.status)
    case 'plan':
      return entry.title !== ''
    case 'file':
      // The card of a call that writes a file says so already.
      return entry.removed || !WRITES.has(timeline.calls[entry.executionId ?? '']?.tool ?? '')
    case 'notice':
      return entry.text.trim() !== ''
    default:
      return true
  }
}

/** About how high a line is before it was drawn, in pixels: near enough keeps the scroll bar steady. */
export function guessHeight(row: Row | undefined): number {
  if (!row) return 40
  if (!('entry' in row)) return row.key === 'end' ? 240 : 120
  switch (row.entry.type) {
    case 'call':
      return 92
    case 'message':
      return row.entry.isPrompt ? 140 : row.entry.role === 'user' ? 80 : 8
    case 'notice':
      return 64
    case 'plan':
      return 44
    default:
      return 32
  }
}

/** Calls that the workbench can show, in order. */
export function benchCalls(timeline: Timeline): string[] {
  const ids: string[] = []
  for (const entry of timeline.entries) {
    if (entry.type !== 'call') continue
    const call = timeline.calls[entry.id]
    if (call && !CONTROL.has(call.tool)) ids.push(entry.id)
  }
  return ids
}

/** The question that the task waits for an answer to, as the id of its call. */
export function openQuestion(timeline: Timeline): string | null {
  if (timeline.status !== 'waiting' || timeline.waitReason !== 'answer') return null
  let last: string | null = null
  for (const call of Object.values(timeline.calls)) if (call.tool === 'message_ask') last = call.id
  return last
}
