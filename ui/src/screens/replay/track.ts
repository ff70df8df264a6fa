import type { Tape } from './tape'

/** How time passes in a replay: as it did, with idle time shortened; or each step of the model for the same time. */
export type Pace = 'clock' | 'turns'

/** No pause of the real run is longer than this in its replay. */
const LONGEST_PAUSE_MS = 2_000
const SHORTEST_MS = 40
const TURN_MS = 1_500
const ERROR_MS = 2_500

/** Where on the scrubber each stop lies. */
export interface Track {
  /** Indexes of events, ascending: where a replay can stand. */
  indexes: Uint32Array
  /** Milliseconds from the begin of the replay, at speed 1. */
  positions: Float64Array
  length: number
}

export function trackOf(tape: Tape, pace: Pace, errorsOnly: boolean): Track {
  const indexes = errorsOnly ? Uint32Array.from(tape.errors) : Uint32Array.from({ length: tape.length }, (_, at) => at)
  const positions = new Float64Array(indexes.length)
  if (errorsOnly) {
    for (let at = 1; at < positions.length; at++) positions[at] = at * ERROR_MS
  } else if (pace === 'clock') {
    for (let at = 1; at < positions.length; at++) {
      const pause = tape.times[at]! - tape.times[at - 1]!
      positions[at] = positions[at - 1]! + Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_MS, pause))
    }
  } else {
    // The events of a step share its time.
    let from = 0
    let begin = 0
    for (let at = 1; at <= positions.length; at++) {
      if (at < positions.length && tape.steps[at] === tape.steps[from]) continue
      for (let one = from; one < at; one++) positions[one] = begin + ((one - from) * TURN_MS) / (at - from)
      begin += TURN_MS
      from = at
    }
  }
  return { indexes, positions, length: positions[positions.length - 1] ?? 0 }
}

/** The last stop at or before a position, by its place in the track. */
export function stopAt(track: Track, position: number): number {
  let low = 0
  let high = track.positions.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (track.positions[middle]! <= position) low = middle
    else high = middle - 1
  }
  return low
}

/** The place in the track of an event, or of the last stop before it. */
export function placeOf(track: Track, index: number): number {
  let low = 0
  let high = track.indexes.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (track.indexes[middle]! <= index) low = middle
    else high = middle - 1
  }
  return low
}
