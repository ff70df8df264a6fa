import type { TaskEvent } from './events'

/** States of a tool execution after which it does not change any more. */
export const OVER = new Set(['completed', 'failed', 'denied', 'in_doubt', 'cancelled'])
export const ENDED = new Set(['completed', 'failed', 'cancelled'])

export interface Call {
  id: string
  tool: string
  step: number
  callIndex: number
  status: string
  executionTimeMs: number | null
  errorMessage: string | null
  approvalsNeeded: number
  /** The event that it began with, and the one that changed it last: what a screen read before the latter is old. */
  firstEvent: number
  lastEvent: number
  startedAt: string | null
  endedAt: string | null
}

/** A line of the timeline, in the order in which things happened. Texts and arguments are read from the rows by id. */
export type Entry =
  | {
      type: 'message'
      event: number
      at: string
      id: string
      role: 'user' | 'assistant'
      isPrompt: boolean
      step: number | null
    }
  | { type: 'call'; event: number; at: string; id: string }
  | {
      type: 'status'
      event: number
      at: string
      status: string
      previous: string | null
      payload: Record<string, unknown>
    }
  | {
      type: 'decision'
      event: number
      at: string
      callId: string
      verdict: string
      userId: string | null
      reason: string | null
    }
  | { type: 'plan'; event: number; at: string; phase: number; title: string; isNew: boolean }
  | { type: 'control'; event: number; at: string; request: string }
  | { type: 'notice'; event: number; at: string; text: string }
  | {
      type: 'file'
      event: number
      at: string
      id: string
      filename: string
      version: number
      removed: boolean
      executionId: string | null
      isGiven: boolean
    }

export interface SeenFile {
  id: string
  filename: string
  version: number
  size: number
  executionId: string | null
}

/** A task as its events tell it up to `lastEvent`: the same fold for the live screen, the replay and their tests. */
export interface Timeline {
  lastEvent: number
  at: string | null
  title: string
  status: string
  waitReason: string | null
  errorMessage: string | null
  runAfter: string | null
  attempts: number
  workerId: string | null
  cancelRequested: boolean
  pauseRequested: boolean
  plan: string[]
  currentPhase: number
  progress: number
  step: number
  calls: Record<string, Call>
  /** Messages with results of calls, by step: what the model read. Which call each belongs to is in its row. */
  results: Record<number, string[]>
  files: Record<string, SeenFile>
  entries: Entry[]
}

export function emptyTimeline(): Timeline {
  return {
    lastEvent: 0,
    at: null,
    title: '',
    status: 'pending',
    waitReason: null,
    errorMessage: null,
    runAfter: null,
    attempts: 0,
    workerId: null,
    cancelRequested: false,
    pauseRequested: false,
    plan: [],
    currentPhase: 1,
    progress: 0,
    step: 0,
    calls: {},
    results: {},
    files: {},
    entries: [],
  }
}

/**
 * Take the next events, in order; what was taken before is left out. The old timeline is not changed, and what did not
 * change is shared with it: of 10,000 events in one call the cost is that of one copy.
 */
export function applyEvents(old: Timeline, events: readonly TaskEvent[]): Timeline {
  const fresh = events.filter((event) => event.id > old.lastEvent)
  if (fresh.length === 0) return old
  const next: Timeline = {
    ...old,
    calls: { ...old.calls },
    results: { ...old.results },
    files: { ...old.files },
    entries: [...old.entries],
  }
  for (const event of fresh) {
    if (event.id <= next.lastEvent) continue
    next.lastEvent = event.id
    next.at = event.created_at
    // A kind that a newer database writes is no reason to stop showing the rest.
    CHANGES[event.kind]?.(next, event)
  }
  return next
}

/** The newest version of each file that was not removed. */
export function currentFiles(timeline: Timeline): SeenFile[] {
  return Object.values(timeline.files).sort((a, b) => a.filename.localeCompare(b.filename))
}

type Change = (timeline: Timeline, event: TaskEvent) => void

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
const whole = (value: unknown): number => (typeof value === 'number' ? value : Number(value) || 0)

const CHANGES: Record<string, Change> = {
  'task.created': (timeline, { payload }) => {
    timeline.title = text(payload.title) ?? ''
    timeline.status = text(payload.status) ?? timeline.status
  },
  'task.status': (timeline, { id, created_at, payload }) => {
    timeline.status = text(payload.status) ?? timeline.status
    timeline.waitReason = text(payload.wait_reason)
    timeline.attempts = whole(payload.attempts)
    timeline.errorMessage = text(payload.error_message)
    timeline.runAfter = text(payload.run_after)
    timeline.workerId = text(payload.worker_id)
    // Asked of a running task: it is paused now, or has ended, or was let go on.
    timeline.pauseRequested = timeline.pauseRequested && timeline.status === 'running'
    if (timeline.status === 'completed') timeline.progress = 100
    timeline.entries.push({
      type: 'status',
      event: id,
      at: created_at,
      status: timeline.status,
      previous: text(payload.previous),
      payload,
    })
  },
  'task.plan': (timeline, { id, created_at, payload }) => {
    const old = timeline.plan
    const phases = Array.isArray(payload.plan) ? payload.plan.filter((phase) => phase && typeof phase === 'object') : []
    const plan = phases.map((phase) => text((phase as { title?: unknown }).title) ?? '')
    const phase = whole(payload.current_phase) || 1
    const isNew = plan.length !== old.length || plan.some((title, index) => title !== old[index])
    // The last advance only says that the last phase is done.
    if (plan.length && (isNew || phase !== timeline.currentPhase))
      timeline.entries.push({ type: 'plan', event: id, at: created_at, phase, title: plan[phase - 1] ?? '', isNew })
    timeline.plan = isNew ? plan : old
    timeline.currentPhase = phase
    timeline.progress = whole(payload.progress_percentage)
  },
  'task.control': (timeline, { id, created_at, payload }) => {
    const request = text(payload.request) ?? ''
    if (request === 'cancel') timeline.cancelRequested = true
    else if (request === 'pause' || request === 'resume') timeline.pauseRequested = request === 'pause'
    timeline.entries.push({ type: 'control', event: id, at: created_at, request })
  },
  'task.notice': (timeline, { id, created_at, payload }) => {
    timeline.entries.push({ type: 'notice', event: id, at: created_at, text: text(payload.text) ?? '' })
  },
  'message.created': (timeline, { id, created_at, payload }) => {
    const { role } = payload
    const step = payload.step === undefined || payload.step === null ? null : whole(payload.step)
    if (role === 'tool' && step !== null)
      timeline.results[step] = [...(timeline.results[step] ?? []), text(payload.message_id) ?? '']
    if (role !== 'user' && role !== 'assistant') return
    const isPrompt = role === 'user' && !timeline.entries.some((entry) => entry.type === 'message')
    timeline.step = Math.max(timeline.step, step ?? 0)
    timeline.entries.push({
      type: 'message',
      event: id,
      at: created_at,
      id: text(payload.message_id) ?? '',
      role,
      isPrompt,
      step,
    })
  },
  'execution.status': (timeline, { id, created_at, payload }) => {
    const callId = text(payload.execution_id) ?? ''
    const old = timeline.calls[callId]
    const status = text(payload.status) ?? 'pending'
    timeline.calls[callId] = {
      id: callId,
      tool: text(payload.tool) ?? old?.tool ?? '',
      step: whole(payload.step),
      callIndex: whole(payload.call_index),
      status,
      executionTimeMs:
        payload.execution_time_ms === undefined || payload.execution_time_ms === null
          ? null
          : whole(payload.execution_time_ms),
      errorMessage: text(payload.error_message),
      approvalsNeeded: whole(payload.approvals_needed),
      firstEvent: old?.firstEvent ?? id,
      lastEvent: id,
      startedAt: status === 'running' ? created_at : (old?.startedAt ?? null),
      endedAt: OVER.has(status) ? created_at : null,
    }
    timeline.step = Math.max(timeline.step, whole(payload.step))
    if (!old) timeline.entries.push({ type: 'call', event: id, at: created_at, id: callId })
  },
  'execution.decision': (timeline, { id, created_at, payload }) => {
    const callId = text(payload.execution_id) ?? ''
    const call = timeline.calls[callId]
    // A decision can change the call's arguments.
    if (call) timeline.calls[callId] = { ...call, lastEvent: id }
    timeline.entries.push({
      type: 'decision',
      event: id,
      at: created_at,
      callId,
      verdict: text(payload.verdict) ?? '',
      userId: text(payload.user_id),
      reason: text(payload.reason),
    })
  },
  'file.created': (timeline, { id, created_at, payload }) => {
    const file: SeenFile = {
      id: text(payload.file_id) ?? '',
      filename: text(payload.filename) ?? '',
      version: whole(payload.version) || 1,
      size: whole(payload.file_size),
      executionId: text(payload.execution_id),
    }
    timeline.files[`/${file.filename}`] = file
    timeline.entries.push({
      type: 'file',
      event: id,
      at: created_at,
      id: file.id,
      filename: file.filename,
      version: file.version,
      removed: false,
      executionId: file.executionId,
      // What a person gives is recorded before the run begins.
      isGiven: !file.executionId && timeline.step === 0,
    })
  },
  'file.removed': (timeline, { id, created_at, payload }) => {
    const filename = text(payload.filename) ?? ''
    delete timeline.files[`/${filename}`]
    timeline.entries.push({
      type: 'file',
      event: id,
      at: created_at,
      id: text(payload.file_id) ?? '',
      filename,
      version: whole(payload.version) || 1,
      removed: true,
      executionId: text(payload.execution_id),
      isGiven: false,
    })
  },
}
