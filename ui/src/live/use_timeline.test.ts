import { describe, expect, it } from 'vitest'
import type { Delta, TaskEvent } from './events'
import { NOTHING, reduce } from './use_timeline'

const delta = (step: number, content: string, restart = false): Delta => ({ step, content, thinking: '', restart })
const event = (id: number, kind: string, payload = {}): TaskEvent => ({
  id,
  task_id: 't',
  kind,
  payload,
  created_at: '2026-01-01T00:00:00Z',
})
const news = (state: typeof NOTHING, events: TaskEvent[], ...deltas: Delta[]) =>
  reduce(state, { type: 'news', news: { events, deltas } })
const live = reduce(NOTHING, { type: 'connection', connection: 'live' })

describe('the answer that streams', () => {
  it('grows piece by piece, begins anew with each step and when the model is asked again', () => {
    const begun = news(live, [], delta(1, 'He'), delta(1, 'llo'))
    expect(begun.streaming?.content).toBe('Hello')
    expect(news(begun, [], delta(1, 'Hi', true)).streaming?.content).toBe('Hi')
    expect(news(begun, [], delta(2, 'Next')).streaming).toEqual({ step: 2, content: 'Next', thinking: '' })
  })

  it('gives its place to the message that is recorded, not to the result of a tool', () => {
    const begun = news(live, [], delta(1, 'Hello'))
    expect(news(begun, [event(1, 'message.created', { role: 'tool', step: 1 })]).streaming?.content).toBe('Hello')
    const recorded = news(begun, [event(1, 'message.created', { role: 'assistant', step: 1 })], delta(2, 'And'))
    expect(recorded.streaming).toEqual({ step: 2, content: 'And', thinking: '' })
    expect(recorded.received).toBe(1)
    expect(news(begun, [event(1, 'task.status', { status: 'paused' })]).streaming).toBeNull()
  })

  it('is not shown while nobody can say how it goes on', () => {
    const begun = news(live, [], delta(1, 'Hello'))
    expect(reduce(begun, { type: 'connection', connection: 'polling' }).streaming).toBeNull()
  })
})
