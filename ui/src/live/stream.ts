import { createParser } from 'eventsource-parser'
import type { Delta, TaskEvent } from './events'

export type StreamEnd = 'expired' | 'denied' | 'gone' | 'shutdown' | 'slow' | 'cut' | 'silent'

/** The server answers, but does not stream to this person now. */
export class StreamRefused extends Error {
  constructor(
    readonly status: number,
    /** How long it asks to wait; null when it does not say. */
    readonly retryAfterMs: number | null,
  ) {
    super(`stream refused: ${status}`)
  }
}

export interface Take {
  onEvents: (events: TaskEvent[]) => void
  onDelta: (delta: Delta) => void
  onCaughtUp: () => void
}

// A server that can, answers at once; the one behind a proxy that is up alone may never.
const ANSWER_MS = 10_000
// The server beats every 10 seconds; a connection that says nothing for longer is dead though nobody told us.
const SILENCE_MS = 25_000
// A machine that slept finds out when it is looked at again, not when a timer that slept with it rings.
const LATE_MS = 12_000

/**
 * Read a task's live stream until it ends, and say why it did. Throws `StreamRefused` when it does not begin, and
 * TypeError when nobody answers or the connection breaks. Read with fetch, because EventSource cannot send a token.
 */
export async function readStream(
  taskId: string,
  token: string,
  lastEvent: number,
  take: Take,
  signal: AbortSignal,
): Promise<StreamEnd> {
  const silence = new AbortController()
  let heardAt = Date.now()
  let timer = setTimeout(() => silence.abort(), ANSWER_MS)
  const heard = () => {
    heardAt = Date.now()
    clearTimeout(timer)
    timer = setTimeout(() => silence.abort(), SILENCE_MS)
  }
  const wakes = () => {
    if (Date.now() - heardAt > LATE_MS) silence.abort()
  }
  // A network that went away takes the connection with it, or, where the server is on this machine, does not.
  const loses = () => {
    clearTimeout(timer)
    timer = setTimeout(() => silence.abort(), Math.max(0, heardAt + LATE_MS - Date.now()))
  }
  document.addEventListener('visibilitychange', wakes)
  window.addEventListener('online', wakes)
  window.addEventListener('offline', loses)
  let end: StreamEnd = 'cut'
  try {
    const response = await fetch(`/live/tasks/${encodeURIComponent(taskId)}`, {
      headers: {
        accept: 'text/event-stream',
        authorization: `Bearer ${token}`,
        ...(lastEvent ? { 'last-event-id': String(lastEvent) } : {}),
      },
      cache: 'no-store',
      signal: AbortSignal.any([signal, silence.signal]),
    })
    if (!response.ok || !response.body) throw refusal(response)
    heard()
    let events: TaskEvent[] = []
    // What came in one piece is shown in one go, but never after something that came behind it.
    const flush = () => {
      if (!events.length) return
      take.onEvents(events)
      events = []
    }
    const parser = createParser({
      onEvent: ({ event, data }) => {
        if (event === 'task_event') events.push(JSON.parse(data) as TaskEvent)
        else {
          flush()
          if (event === 'delta') take.onDelta(JSON.parse(data) as Delta)
          else if (event === 'caught_up') take.onCaughtUp()
          else if (event === 'end') end = (JSON.parse(data) as { reason: StreamEnd }).reason
        }
      },
    })
    const decoder = new TextDecoder()
    const reader = response.body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return end
      heard()
      parser.feed(decoder.decode(value, { stream: true }))
      flush()
    }
  } catch (error) {
    if (silence.signal.aborted && !signal.aborted) return 'silent'
    throw error
  } finally {
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', wakes)
    window.removeEventListener('online', wakes)
    window.removeEventListener('offline', loses)
    silence.abort()
  }
}

function refusal(response: Response): StreamRefused {
  const seconds = Number(response.headers.get('retry-after') ?? NaN)
  return new StreamRefused(response.status, Number.isFinite(seconds) ? seconds * 1000 : null)
}
