import { expect, test } from 'vitest'
import type { TaskEvent } from '@/live/events'
import { applyEvents, emptyTimeline } from '@/live/fold'
import { Tape } from './tape'
import { placeOf, stopAt, trackOf } from './track'

const START = Date.UTC(2026, 0, 1)

/** A run of so many steps, three events each; every tenth call fails, and after half of it the task waits for a minute. */
function run(steps: number): TaskEvent[] {
  const events: TaskEvent[] = []
  let clock = START
  const add = (kind: string, payload: Record<string, unknown>, after = 100) => {
    clock += after
    events.push({
      id: 10 * (events.length + 1),
      task_id: 't',
      kind,
      payload,
      created_at: new Date(clock).toISOString(),
    })
  }
  add('task.created', { status: 'pending', title: 'Long' }, 0)
  add('message.created', { message_id: 'm0', role: 'user' })
  add('task.status', { status: 'running', previous: 'pending', attempts: 0 })
  for (let step = 1; step <= steps; step++) {
    add('message.created', { message_id: `m${step}`, role: 'assistant', step })
    add('execution.status', { execution_id: `e${step}`, tool: 'shell_exec', step, status: 'running' })
    add('execution.status', {
      execution_id: `e${step}`,
      tool: 'shell_exec',
      step,
      status: step % 10 ? 'completed' : 'failed',
    })
    if (step === Math.floor(steps / 2)) {
      add('task.status', { status: 'waiting', previous: 'running', wait_reason: 'answer', attempts: 0 })
      add('task.status', { status: 'running', previous: 'waiting', attempts: 0 }, 60_000)
    }
  }
  add('task.status', { status: 'completed', previous: 'running', attempts: 0 })
  return events
}

test('the timeline at any moment is that of the events up to it, and seeking is quick', () => {
  const events = run(3_400)
  const tape = new Tape(events)
  expect(tape.length).toBeGreaterThan(10_000)
  for (const index of [-1, 0, 1, 199, 200, 201, 5_000, tape.length - 1])
    expect(tape.at(index)).toEqual(applyEvents(emptyTimeline(), events.slice(0, index + 1)))
  const began = performance.now()
  for (let at = 0; at < 100; at++) tape.at((at * 7_919) % tape.length)
  // A frame has 16 ms; a slow machine gets ten times that.
  expect((performance.now() - began) / 100).toBeLessThan(160)
})

test('steps, errors and waits are found', () => {
  const tape = new Tape(run(20))
  expect(tape.errors.map((at) => tape.events[at]!.payload.execution_id)).toEqual(['e10', 'e20'])
  expect(tape.waits).toHaveLength(1)
  expect(tape.stops).toHaveLength(21)
  expect(tape.steps[tape.stops[4]!]).toBe(4)
  expect(tape.first).toBe(1)
  expect(tape.indexOf(30)).toBe(2)
  // A moment that is none is the one before it.
  expect(tape.indexOf(35)).toBe(2)
  expect(tape.indexOf(999_999)).toBe(tape.length - 1)
})

test('idle time is shortened, and turns take the same time each', () => {
  const tape = new Tape(run(20))
  const clock = trackOf(tape, 'clock', false)
  expect(tape.times[tape.length - 1]).toBeGreaterThan(60_000)
  expect(clock.length).toBeLessThan(10_000)
  const turns = trackOf(tape, 'turns', false)
  const begins = tape.stops.slice(0, -1).map((stop) => turns.positions[stop + 1]!)
  const gaps = begins.slice(1).map((begin, at) => begin - begins[at]!)
  for (const gap of gaps) expect(gap).toBeCloseTo(1_500, 6)
  for (const track of [clock, turns])
    for (let at = 1; at < tape.length; at++) expect(track.positions[at]!).toBeGreaterThan(track.positions[at - 1]!)
})

test('a track finds its stops both ways, and that of errors holds them alone', () => {
  const tape = new Tape(run(20))
  const track = trackOf(tape, 'clock', false)
  for (const place of [0, 1, 30, tape.length - 1]) expect(stopAt(track, track.positions[place]!)).toBe(place)
  const errors = trackOf(tape, 'clock', true)
  expect([...errors.indexes]).toEqual(tape.errors)
  expect(placeOf(errors, tape.errors[1]! - 1)).toBe(0)
  expect(placeOf(errors, tape.length - 1)).toBe(1)
})
