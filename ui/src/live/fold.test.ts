import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { TaskEvent } from './events'
import { applyEvents, currentFiles, emptyTimeline, type Timeline } from './fold'

interface Case {
  name: string
  events: [string, Record<string, unknown>][]
  expected: Record<string, unknown>
  changed?: Record<string, number>
}

// The same cases are held against the terminal's fold: tests/unit/test_timeline_cases.py.
const file = fileURLToPath(new URL('../../../tests/ui/timeline_cases.json', import.meta.url))
const cases = JSON.parse(readFileSync(file, 'utf-8')) as Case[]

function told({ events }: Case): TaskEvent[] {
  return events.map(([kind, payload], index) => ({
    id: 10 * (index + 1),
    task_id: 'task',
    kind,
    payload,
    created_at: new Date(Date.UTC(2026, 0, 1, 0, 0, index)).toISOString(),
  }))
}

function shown(timeline: Timeline) {
  const { entries } = timeline
  return {
    title: timeline.title,
    status: timeline.status,
    wait_reason: timeline.waitReason,
    error_message: timeline.errorMessage,
    run_after: timeline.runAfter,
    attempts: timeline.attempts,
    cancel_requested: timeline.cancelRequested,
    pause_requested: timeline.pauseRequested,
    plan: timeline.plan,
    current_phase: timeline.currentPhase,
    progress: timeline.progress,
    calls: Object.values(timeline.calls).map((call) => ({
      id: call.id,
      tool: call.tool,
      step: call.step,
      call_index: call.callIndex,
      status: call.status,
      execution_time_ms: call.executionTimeMs,
      error_message: call.errorMessage,
      approvals_needed: call.approvalsNeeded,
    })),
    files: currentFiles(timeline).map((file) => file.filename),
    notices: entries.flatMap((entry) => (entry.type === 'notice' ? [entry.text] : [])),
    messages: entries.flatMap((entry) =>
      entry.type === 'message' ? [[entry.id, entry.isPrompt ? 'prompt' : entry.role]] : [],
    ),
  }
}

describe('the fold of a timeline', () => {
  it.each(cases)('$name', (one) => {
    const timeline = applyEvents(emptyTimeline(), told(one))
    expect(shown(timeline)).toEqual(one.expected)
    for (const [id, event] of Object.entries(one.changed ?? {})) expect(timeline.calls[id]?.lastEvent).toBe(event)
  })

  it.each(cases)('is the same however it is cut, and however often it comes: $name', (one) => {
    const events = told(one)
    const whole = applyEvents(emptyTimeline(), events)
    for (let cut = 0; cut <= events.length; cut += 1) {
      const begun = applyEvents(emptyTimeline(), events.slice(0, cut))
      // The last batch comes again, as it does after a lost answer.
      expect(applyEvents(begun, events.slice(Math.max(0, cut - 3)))).toEqual(whole)
    }
    expect(applyEvents(whole, events)).toBe(whole)
  })

  it('does not change the timeline that it was given', () => {
    const events = told(cases[0]!)
    const begun = applyEvents(emptyTimeline(), events.slice(0, 6))
    const kept = structuredClone(begun)
    applyEvents(begun, events)
    expect(begun).toEqual(kept)
  })

  it('says where a plan is set and where a phase begins, and what each step brought the model', () => {
    const timeline = applyEvents(emptyTimeline(), told(cases[0]!))
    const plans = timeline.entries.filter((entry) => entry.type === 'plan')
    expect(plans.map(({ phase, title, isNew }) => [phase, title, isNew])).toEqual([
      [1, 'Look', true],
      [2, 'Tell', false],
    ])
    expect(Object.keys(timeline.results)).toEqual(['2'])
  })

  it('takes ten thousand events at once in no time', () => {
    const events: TaskEvent[] = Array.from({ length: 10_000 }, (_, index) => ({
      id: index + 1,
      task_id: 'task',
      kind: 'execution.status',
      payload: { execution_id: String(index >> 2), tool: 'file_read', step: index >> 2, status: 'completed' },
      created_at: '2026-01-01T00:00:00Z',
    }))
    expect(applyEvents(emptyTimeline(), events).entries).toHaveLength(2_500)
  })
})
