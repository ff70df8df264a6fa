import { createParser } from 'eventsource-parser'
import type { Delta, TaskEvent } from './events'

export type StreamEnd = 'expired' | 'denied' | 'gone' | 'shutdown' | 'slow' | 'cut' | 'silent'

export class StreamRefused extends Error {
  constructor(readonly status: number) {
    super(`stream refused: ${status}`)
  }
}

interface Take {
  onEvents: (events: TaskEvent[]) => void
  onDelta: (delta: Delta) => void
  onCaughtUp: () => void
}

// The server beats every 10 seconds; a connection that says less is dead though nobody told us.
const SILENCE_MS = 30_000

/**
 * Read a task's live stream until it ends, and say why it did. Throws `StreamRefused` when it does not begin, and
 * TypeError when nobody answers. Read with fetch, because EventSource cannot send a token.
 */
export async function readStream(
  taskId: string,
  token: string,
  lastEvent: number,
  take: Take,
  signal: AbortSignal,
): Promise<StreamEnd> {
  const silence = new AbortController()
  const either = AbortSignal.any([signal, silence.signal])
  let timer = setTimeout(() => silence.abort(), SILENCE_MS)
  let end: StreamEnd = 'cut'
  try {
    const response = await fetch(`/live/tasks/${encodeURIComponent(taskId)}`, {
      headers: {
        accept: 'text/event-stream',
        authorization: `Bearer ${token}`,
        ...(lastEvent ? { 'last-event-id': String(lastEvent) } : {}),
      },
      cache: 'no-store',
      signal: either,
    })
    if (!response.ok || !response.body) throw new StreamRefused(response.status)
    let events: TaskEvent[] = []
    const parser = createParser({
      onEvent: ({ event, data }) => {
        if (event === 'task_event') events.push(JSON.parse(data) as TaskEvent)
        else if (event === 'delta') take.onDelta(JSON.parse(data) as Delta)
        else if (event === 'caught_up') take.onCaughtUp()
        else if (event === 'end') end = (JSON.parse(data) as { reason: StreamEnd }).reason
      },
    })
    const decoder = new TextDecoder()
    const reader = response.body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return end
      clearTimeout(timer)
      timer = setTimeout(() => silence.abort(), SILENCE_MS)
      parser.feed(decoder.decode(value, { stream: true }))
      // What came in one piece is shown in one go.
      if (events.length) {
        take.onEvents(events)
        events = []
      }
    }
  } catch (error) {
    if (silence.signal.aborted && !signal.aborted) return 'silent'
    throw error
  } finally {
    clearTimeout(timer)
  }
}
