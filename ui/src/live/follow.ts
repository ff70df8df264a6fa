import type { Supabase } from '@/data/client'
import { ask } from '@/data/ask'
import type { Delta, TaskEvent } from './events'
import { readStream, StreamRefused } from './stream'

/** How the timeline comes: by the server's stream, by asking Supabase again and again, or not at the moment. */
export type Connection = 'connecting' | 'live' | 'polling' | 'offline' | 'ended'

interface Follow {
  taskId: string
  supabase: Supabase
  token: () => Promise<string | null>
  /** Whether the server streams at all. */
  streams: boolean
  onEvents: (events: TaskEvent[]) => void
  onDelta: (delta: Delta) => void
  onConnection: (connection: Connection) => void
  /** The person may not see the task any more, or there is none: nothing more comes. */
  onNoAccess: (why: 'signedOut' | 'notFound') => void
  signal: AbortSignal
}

const PAGE = 1_000
const POLL_MS = 2_000
const STREAM_AGAIN_MS = 15_000

/** Hand over every event of a task once and in order, from the first on, whichever way they can be had, until aborted. */
export async function follow(task: Follow): Promise<void> {
  let last = 0
  const take = (events: TaskEvent[]) => {
    const fresh = events.filter((event) => event.id > last)
    if (!fresh.length) return
    last = fresh[fresh.length - 1]!.id
    task.onEvents(fresh)
  }
  let failures = 0
  let streamAfter = 0
  while (!task.signal.aborted) {
    try {
      if (task.streams && Date.now() >= streamAfter) {
        const token = await task.token()
        if (!token) return task.onNoAccess('signedOut')
        const reason = await readStream(
          task.taskId,
          token,
          last,
          {
            onEvents: take,
            onDelta: task.onDelta,
            onCaughtUp: () => {
              failures = 0
              task.onConnection('live')
            },
          },
          task.signal,
        )
        // `denied` and `gone` are proven by asking Supabase, below.
        if (reason !== 'denied' && reason !== 'gone') {
          task.onConnection('connecting')
          await pause(reason === 'expired' || reason === 'slow' ? 0 : 500, task.signal)
          continue
        }
      }
      await poll(task, () => last, take)
      failures = 0
      task.onConnection('polling')
      await pause(POLL_MS, task.signal)
    } catch (error) {
      if (task.signal.aborted) return
      if (error instanceof NoAccess) return task.onNoAccess(error.why)
      if (error instanceof StreamRefused || error instanceof TypeError) streamAfter = Date.now() + STREAM_AGAIN_MS
      if (!(error instanceof StreamRefused)) {
        failures += 1
        task.onConnection(navigator.onLine && failures < 2 ? 'connecting' : 'offline')
        await pause(Math.min(10_000, 500 * 2 ** Math.min(failures, 5)), task.signal)
        // Back on line, the stream is worth a try at once.
        if (navigator.onLine) streamAfter = Math.min(streamAfter, Date.now() + 2_000)
      }
    }
  }
}

class NoAccess extends Error {
  constructor(readonly why: 'signedOut' | 'notFound') {
    super(why)
  }
}

async function poll(task: Follow, last: () => number, take: (events: TaskEvent[]) => void): Promise<void> {
  const { count, error, status } = await task.supabase
    .from('tasks')
    .select('id', { count: 'exact', head: true })
    .eq('id', task.taskId)
    .abortSignal(task.signal)
  if (status === 401) throw new NoAccess('signedOut')
  if (error) throw new TypeError(error.message || 'unavailable')
  if (count === 0) throw new NoAccess('notFound')
  for (;;) {
    const rows = (await ask(
      task.supabase
        .from('task_events')
        .select('id, task_id, kind, payload, created_at')
        .eq('task_id', task.taskId)
        .gt('id', last())
        .order('id')
        .limit(PAGE)
        .abortSignal(task.signal),
    )) as unknown as TaskEvent[]
    take(rows)
    if (rows.length < PAGE) return
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds)
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      window.removeEventListener('online', done)
      resolve()
    }
    signal.addEventListener('abort', done)
    window.addEventListener('online', done)
  })
}
