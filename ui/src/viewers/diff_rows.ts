import { diffLines } from 'diff'

export const SIDE_AT_MOST = 4_000_000
const LINES_AT_MOST = 60_000
const PATIENCE_MS = 4_000
/** Unchanged lines that are shown around a change. */
const AROUND = 3

/** A line of a comparison. `old` and `now` are its numbers, counted from 1. */
export interface Row {
  type: 'same' | 'removed' | 'added'
  old: number | null
  now: number | null
  text: string
}
export interface Hunk {
  type: 'shown' | 'folded'
  rows: Row[]
}
export interface Compared {
  rows: Row[]
  added: number
  removed: number
}

/** Line by line what became of `before`; null when that would take too long. */
export function compare(before: string, after: string): Compared | null {
  if (before.length > SIDE_AT_MOST || after.length > SIDE_AT_MOST) return null
  const changes = diffLines(before, after, { timeout: PATIENCE_MS, stripTrailingCr: true })
  if (!changes) return null
  const rows: Row[] = []
  let old = 0
  let now = 0
  let added = 0
  let removed = 0
  for (const change of changes) {
    const lines = change.value.split('\n')
    if (lines[lines.length - 1] === '') lines.pop()
    for (const text of lines) {
      if (change.added) rows.push({ type: 'added', old: null, now: ++now, text })
      else if (change.removed) rows.push({ type: 'removed', old: ++old, now: null, text })
      else rows.push({ type: 'same', old: ++old, now: ++now, text })
    }
    if (change.added) added += lines.length
    if (change.removed) removed += lines.length
    if (rows.length > LINES_AT_MOST * 2) return null
  }
  return { rows, added, removed }
}

/** The rows in parts: those near a change, and the unchanged stretches between, which are folded away. */
export function hunksOf(rows: readonly Row[]): Hunk[] {
  const near = new Uint8Array(rows.length)
  rows.forEach((row, index) => {
    if (row.type === 'same') return
    for (let at = Math.max(0, index - AROUND); at <= Math.min(rows.length - 1, index + AROUND); at++) near[at] = 1
  })
  const hunks: Hunk[] = []
  rows.forEach((row, index) => {
    const type = near[index] ? 'shown' : 'folded'
    const last = hunks[hunks.length - 1]
    if (last?.type === type) last.rows.push(row)
    else hunks.push({ type, rows: [row] })
  })
  // To unfold a line or two costs more than to read them.
  for (const hunk of hunks) if (hunk.type === 'folded' && hunk.rows.length <= 2) hunk.type = 'shown'
  return hunks
}

/** The same rows for two columns: what was removed stands beside what was added in its place. */
export function sideBySide(rows: readonly Row[]): [Row | null, Row | null][] {
  const pairs: [Row | null, Row | null][] = []
  let removed: Row[] = []
  let added: Row[] = []
  const flush = () => {
    for (let index = 0; index < Math.max(removed.length, added.length); index++)
      pairs.push([removed[index] ?? null, added[index] ?? null])
    removed = []
    added = []
  }
  for (const row of rows) {
    if (row.type === 'removed') removed.push(row)
    else if (row.type === 'added') added.push(row)
    else {
      flush()
      pairs.push([row, row])
    }
  }
  flush()
  return pairs
}
