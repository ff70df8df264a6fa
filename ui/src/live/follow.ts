import type { Delta, TaskEvent } from './events'
import { readStream, StreamRefused, type Take } from './stream'

/** How the timeline comes: by the server's stream, by asking Supabase again and again, or not at the moment. */
export type Connection = 'connecting' | 'live' | 'polling' | 'offline' | 'resting' | 'ended'
export type NoAccess = 'signedOut' | 'notFound'

/** Where a timeline can be read when there is no stream: Supabase, as the person. */
export interface Reader {
  /** The next events after `last`, in order; fewer than `READ_AT_ONCE` when these are all. */
  read: (taskId: string, last: number, signal: AbortSignal) => Promise<TaskEvent[]>
  /** Whether there is such a task, for this person. */
  exists: (taskId: string, signal: AbortSignal) => Promise<boolean>
}

/** Thrown by a `Reader`: the person's token is not accepted. */
export class TokenRefused extends Error {}

export interface Follow {
  taskId: string
  reader: Reader
  /** The person's token of now; with `renewed`, a new one, or null when there is no session any more. */
  token: (renewed?: boolean) => Promise<string | null>
  /** Whether the server streams at all. */
  streams: boolean
  onEvents: (events: TaskEvent[]) => void
  onDelta: (delta: Delta) => void
  onConnection: (connection: Connection) => void
  /** The person may not see the task any more, or there is none: nothing more comes. */
  onNoAccess: (why: NoAccess) => void
  signal: AbortSignal
}

export const READ_AT_ONCE = 1_000
const POLL_MS = 2_000
// A server that was away is asked again this often, ever more seldom, while Supabase is asked in its place.
const STREAM_AGAIN_MS = [1_000, 2_000, 4_000, 8_000, 15_000]
const STEADY_MS = 3_000
const FAILED_MS = [500, 1_000, 2_000, 4_000, 8_000]
// A tab that nobody looks at holds no stream for ever; what it missed is read when it is looked at again.
const HIDDEN_MS = 10 * 60_000
// Without a stream, whether the task is still there is asked at every so many looks.
const LOOKS_PER_PROOF = 5

/**
 * Hand over every event of a task once and in order, from the first on, whichever way they can be had, until aborted.
 *
 * One number carries it all: the last event that was handed over. Every way asks for what comes after it, so that it
 * does not matter which way was cut where. The stream is preferred; while it cannot be had, Supabase is asked.
 */
export async function follow(task: Follow): Promise<void> {
  const { signal } = task
  let last = 0
  let streamFailures = 0
  let readFailures = 0
  let streamAfter = 0
  let looks = 0
  let proofWanted = true
  let renewed = false

  const take = (events: TaskEvent[]) => {
    const fresh = events.filter((event) => event.id > last)
    if (!fresh.length) return
    last = fresh[fresh.length - 1]!.id
    task.onEvents(fresh)
  }
  const streamFailed = (waitMs?: number | null) => {
    streamAfter = Date.now() + (waitMs ?? at(STREAM_AGAIN_MS, streamFailures))
    streamFailures += 1
  }

  while (!signal.aborted) {
    if (isLongHidden()) {
      task.onConnection('resting')
      await seen(signal)
      if (signal.aborted) return
      task.onConnection('connecting')
    }
    if (task.streams && Date.now() >= streamAfter) {
      let isLive = false
      const openedAt = Date.now()
      const rest = new AbortController()
      const stopResting = whenLongHidden(() => rest.abort())
      try {
        const token = await task.token()
        if (!token) return task.onNoAccess('signedOut')
        const taken: Take = {
          onEvents: take,
          onDelta: task.onDelta,
          onCaughtUp: () => {
            isLive = true
            readFailures = 0
            renewed = false
            task.onConnection('live')
          },
        }
        const end = await readStream(task.taskId, token, last, taken, AbortSignal.any([signal, rest.signal]))
        if (end === 'denied' || end === 'gone') {
          // Proven by asking Supabase, below; and no stream before that.
          proofWanted = true
          streamFailed()
        } else {
          if (Date.now() - openedAt >= STEADY_MS) streamFailures = 0
          // A server that shuts down, or a proxy that cuts at once, gets a moment: Supabase is asked meanwhile.
          if (!isLive || end === 'shutdown' || (end === 'cut' && Date.now() - openedAt < STEADY_MS)) streamFailed()
          else {
            task.onConnection('connecting')
            continue
          }
        }
      } catch (error) {
        if (signal.aborted) return
        if (rest.signal.aborted) continue
        if (error instanceof StreamRefused && error.status === 401 && !renewed) {
          // The session may have ended though the token has not.
          renewed = true
          if (!(await renewedToken(task))) return task.onNoAccess('signedOut')
          continue
        }
        if (error instanceof StreamRefused && (error.status === 401 || error.status === 404)) proofWanted = true
        if (Date.now() - openedAt >= STEADY_MS) streamFailures = 0
        streamFailed(error instanceof StreamRefused ? error.retryAfterMs : null)
        if (isLive) task.onConnection('connecting')
      } finally {
        stopResting()
      }
    }
    try {
      looks += 1
      if (proofWanted || looks % LOOKS_PER_PROOF === 0) {
        if (!(await task.reader.exists(task.taskId, signal))) return task.onNoAccess('notFound')
        proofWanted = false
      }
      for (;;) {
        const events = await task.reader.read(task.taskId, last, signal)
        take(events)
        if (events.length < READ_AT_ONCE) break
      }
      readFailures = 0
      task.onConnection('polling')
      await pause(task.streams ? Math.max(0, Math.min(POLL_MS, streamAfter - Date.now())) : POLL_MS, signal)
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof TokenRefused && !(await renewedToken(task))) return task.onNoAccess('signedOut')
      readFailures += 1
      task.onConnection(navigator.onLine && readFailures < 2 ? 'connecting' : 'offline')
      const woken = await pause(at(FAILED_MS, readFailures - 1), signal)
      // Back on line, or looked at again: the stream is worth a try at once.
      if (woken) streamAfter = streamFailures = 0
    }
  }
}

/** A new token; null when the session is over, and the old one when that cannot be said now. */
async function renewedToken(task: Follow): Promise<string | null> {
  try {
    return await task.token(true)
  } catch {
    return task.token().catch(() => null)
  }
}

const at = (steps: readonly number[], index: number): number => steps[Math.min(index, steps.length - 1)]!

/** Wait; true when something happened that is a reason not to wait any longer. */
function pause(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => done(false), milliseconds)
    const wake = () => done(true)
    const look = () => document.hidden || done(true)
    function done(woken: boolean) {
      clearTimeout(timer)
      signal.removeEventListener('abort', wake)
      window.removeEventListener('online', wake)
      document.removeEventListener('visibilitychange', look)
      resolve(woken)
    }
    signal.addEventListener('abort', wake)
    window.addEventListener('online', wake)
    document.addEventListener('visibilitychange', look)
    if (signal.aborted) done(true)
  })
}

let hiddenSince: number | null = null
function noteHidden(): void {
  hiddenSince = document.hidden ? (hiddenSince ?? Date.now()) : null
}

function isLongHidden(): boolean {
  noteHidden()
  return hiddenSince !== null && Date.now() - hiddenSince >= HIDDEN_MS
}

function seen(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      if (document.hidden && !signal.aborted) return
      noteHidden()
      document.removeEventListener('visibilitychange', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    document.addEventListener('visibilitychange', done)
    signal.addEventListener('abort', done)
    done()
  })
}

/** Call `act` once the page has been hidden for long; the answer stops waiting for that. */
function whenLongHidden(act: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  const change = () => {
    noteHidden()
    clearTimeout(timer)
    if (hiddenSince !== null) timer = setTimeout(act, Math.max(0, HIDDEN_MS - (Date.now() - hiddenSince)))
  }
  document.addEventListener('visibilitychange', change)
  change()
  return () => {
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', change)
  }
}
