import type { TaskEvent } from '@/live/events'
import { applyEvents, emptyTimeline, type Timeline } from '@/live/fold'

/** So many events between two kept timelines: seeking folds no more than these. */
const BETWEEN = 200

export type Mark = 'step' | 'error' | 'wait'

/** All events of a run, and the timeline after any of them. */
export class Tape {
  readonly length: number
  /** The model's step that each event belongs to or comes after. */
  readonly steps: Uint32Array
  /** Milliseconds since the first event. */
  readonly times: Float64Array
  /** Events with which something went wrong. */
  readonly errors: number[] = []
  /** From and to which event the task waited, was paused or queued. */
  readonly waits: [from: number, to: number][] = []
  /** The last event of each step. */
  readonly stops: number[] = []
  private readonly kept: Timeline[] = [emptyTimeline()]
  private readonly places: Map<number, number>

  constructor(readonly events: readonly TaskEvent[]) {
    this.length = events.length
    this.steps = new Uint32Array(events.length)
    this.times = new Float64Array(events.length)
    this.places = new Map(events.map((event, index) => [event.id, index]))
    const start = Date.parse(events[0]?.created_at ?? '')
    let step = 0
    let attempts = 0
    let waitsFrom: number | null = null
    events.forEach(({ kind, payload, created_at }, index) => {
      const before = step
      if (kind === 'message.created' || kind === 'execution.status') step = Math.max(step, Number(payload.step) || 0)
      this.steps[index] = step
      // Clocks may be set back; a replay never is.
      this.times[index] = Math.max(this.times[index - 1] ?? 0, Date.parse(created_at) - start || 0)
      if (step > before && index > 0) this.stops.push(index - 1)
      const status = String(payload.status)
      const crashed = kind === 'task.status' && Number(payload.attempts ?? 0) > attempts
      if (kind === 'task.status') attempts = Number(payload.attempts ?? 0)
      if (
        crashed ||
        (kind === 'execution.status' && ['failed', 'denied', 'in_doubt'].includes(status)) ||
        (kind === 'task.status' && status === 'failed')
      )
        this.errors.push(index)
      if (kind !== 'task.status') return
      if (['waiting', 'paused', 'pending'].includes(status)) waitsFrom ??= index
      else if (waitsFrom !== null) {
        this.waits.push([waitsFrom, index])
        waitsFrom = null
      }
    })
    if (waitsFrom !== null) this.waits.push([waitsFrom, events.length - 1])
    if (events.length) this.stops.push(events.length - 1)
    for (let at = BETWEEN; at <= events.length; at += BETWEEN)
      this.kept.push(applyEvents(this.kept[this.kept.length - 1]!, events.slice(at - BETWEEN, at)))
  }

  /** The timeline after the event at `index`; before the first one for -1. */
  at(index: number): Timeline {
    const count = Math.min(this.length, index + 1)
    const from = Math.floor(count / BETWEEN)
    return applyEvents(this.kept[from]!, this.events.slice(from * BETWEEN, count))
  }

  /** Where the event with this id is; the last one before it where there is none. */
  indexOf(id: number): number {
    const known = this.places.get(id)
    if (known !== undefined) return known
    let index = this.length - 1
    while (index > 0 && this.events[index]!.id > id) index -= 1
    return index
  }

  /** Where a replay begins: with what the person asked for. */
  get first(): number {
    return Math.max(
      0,
      this.events.findIndex((event) => event.kind === 'message.created'),
    )
  }
}
