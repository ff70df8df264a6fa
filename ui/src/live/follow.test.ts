import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { TaskEvent } from './events'
import { follow, TokenRefused, type Follow } from './follow'

const page = Object.assign(new EventTarget(), { hidden: false })
const table: TaskEvent[] = []
const asked: { last: string | null; token: string | null }[] = []
type Answer = (request: { last: number; signal: AbortSignal }) => Response | Promise<Response>
let answers: Answer[] = []
let readerFails: (() => unknown) | null = null
let exists = true
let session: string | null = 'token-1'
let renewals = 0

const event = (id: number): TaskEvent => ({ id, task_id: 't', kind: 'task.notice', payload: {}, created_at: '' })
const write = (...ids: number[]) => table.push(...ids.map(event))
const frame = (id: number) => `id: ${id}\nevent: task_event\ndata: ${JSON.stringify(event(id))}\n\n`
const CAUGHT_UP = 'event: caught_up\ndata: {}\n\n'
const end = (reason: string) => `event: end\ndata: {"reason": "${reason}"}\n\n`

/** A stream that says these pieces; it stays open when the last is null, and breaks when it is an error. */
function says(...pieces: (string | Error | null)[]): Answer {
  return ({ signal }) =>
    new Response(
      new ReadableStream(
        {
          start: (controller) => signal.addEventListener('abort', () => controller.error(signal.reason)),
          pull(controller) {
            const piece = pieces.shift()
            if (piece === null) return new Promise<void>(() => undefined)
            if (piece === undefined) controller.close()
            else if (piece instanceof Error) controller.error(piece)
            else controller.enqueue(new TextEncoder().encode(piece))
          },
        },
        { highWaterMark: 0 },
      ),
    )
}
const refuses =
  (status: number): Answer =>
  () =>
    new Response('{}', { status })
const away: Answer = () => Promise.reject(new TypeError('failed to fetch'))
const silent: Answer = ({ signal }) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
  vi.stubGlobal('document', page)
  vi.stubGlobal('window', new EventTarget())
  vi.stubGlobal('navigator', { onLine: true })
  vi.stubGlobal('fetch', (_: string, { headers, signal }: { headers: Record<string, string>; signal: AbortSignal }) => {
    const last = headers['last-event-id'] ?? null
    asked.push({ last, token: headers.authorization ?? null })
    return Promise.resolve((answers.shift() ?? away)({ last: Number(last ?? 0), signal }))
  })
  page.hidden = false
  table.length = asked.length = renewals = 0
  answers = []
  readerFails = null
  exists = true
  session = 'token-1'
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

function followed(more: Partial<Follow> = {}) {
  const ends = new AbortController()
  const seen: number[] = []
  const states: string[] = []
  const done = follow({
    taskId: 't',
    streams: true,
    reader: {
      read: async (_, last) => {
        if (readerFails) throw readerFails()
        return table.filter(({ id }) => id > last)
      },
      exists: async () => {
        if (readerFails) throw readerFails()
        return exists
      },
    },
    token: async (renewed) => {
      if (renewed) renewals += 1
      return session
    },
    onEvents: (events) => seen.push(...events.map(({ id }) => id)),
    onDelta: () => undefined,
    onConnection: (state) => states.at(-1) !== state && states.push(state),
    onNoAccess: (why) => states.push(why),
    signal: ends.signal,
    ...more,
  })
  const stop = async () => {
    ends.abort()
    await done
  }
  return { seen, states, done, stop, wait: (ms: number) => vi.advanceTimersByTimeAsync(ms) }
}

describe('following a task', () => {
  it('goes on behind the last event after a cut, at once, and takes none twice', async () => {
    answers = [says(frame(1), frame(2), CAUGHT_UP, frame(3), null), says(frame(3), frame(4), frame(5), CAUGHT_UP, null)]
    const { seen, states, stop, wait } = followed()
    await wait(10)
    expect(seen).toEqual([1, 2, 3])
    // Nothing is heard for too long, though nobody closed the connection.
    await wait(26_000)
    expect(seen).toEqual([1, 2, 3, 4, 5])
    expect(asked.map(({ last }) => last)).toEqual([null, '3'])
    expect(states).toEqual(['live', 'connecting', 'live'])
    await stop()
  })

  it('asks Supabase while the server is away, and streams again when it is back', async () => {
    write(1, 2)
    answers = [says(frame(1), CAUGHT_UP, new TypeError('network error')), away, away]
    const { seen, states, stop, wait } = followed()
    await wait(500)
    expect(seen).toEqual([1, 2])
    expect(states).toEqual(['live', 'connecting', 'polling'])
    write(3)
    await wait(2_100)
    expect(seen).toEqual([1, 2, 3])
    answers = [says(frame(4), CAUGHT_UP, null)]
    await wait(15_000)
    expect(seen).toEqual([1, 2, 3, 4])
    expect(states.at(-1)).toBe('live')
    expect(asked.at(-1)?.last).toBe('3')
    await stop()
  })

  it('says that it is offline when nobody answers, and goes on by itself', async () => {
    readerFails = () => new TypeError('failed to fetch')
    const { seen, states, stop, wait } = followed()
    await wait(5_000)
    expect(states).toEqual(['connecting', 'offline'])
    readerFails = null
    write(1)
    window.dispatchEvent(new Event('online'))
    await wait(10)
    expect(seen).toEqual([1])
    expect(states.at(-1)).toBe('polling')
    await stop()
  })

  it('takes a new token when the old one expired', async () => {
    answers = [says(frame(1), CAUGHT_UP, end('expired')), says(CAUGHT_UP, null)]
    const { states, stop, wait } = followed({ token: async () => `token-${asked.length + 1}` })
    await wait(10)
    expect(asked.map(({ token }) => token)).toEqual(['Bearer token-1', 'Bearer token-2'])
    expect(states.at(-1)).toBe('live')
    await stop()
  })

  it('renews a token that is refused, once, and is signed out when there is no session', async () => {
    answers = [refuses(401), says(CAUGHT_UP, null)]
    const first = followed()
    await first.wait(10)
    expect(renewals).toBe(1)
    expect(first.states).toEqual(['live'])
    await first.stop()

    answers = [refuses(401)]
    const second = followed({ token: async (renewed) => (renewed ? null : 'token') })
    await second.done
    expect(second.states).toEqual(['signedOut'])
  })

  it('does not ask in circles when a token is refused and its renewal, too', async () => {
    answers = Array.from({ length: 100 }, () => refuses(401))
    write(1)
    const { seen, states, stop, wait } = followed()
    await wait(30_000)
    expect(asked.length).toBeLessThan(8)
    expect(seen).toEqual([1])
    expect(states).toEqual(['polling'])
    await stop()
  })

  it.each(['denied', 'gone'])('asks Supabase for the proof when access ended: %s', async (reason) => {
    answers = [says(frame(1), CAUGHT_UP, end(reason))]
    exists = false
    const { states, done } = followed()
    await done
    expect(states).toEqual(['live', 'notFound'])
  })

  it('believes no refusal that Supabase does not confirm', async () => {
    answers = [refuses(404)]
    write(1)
    const { seen, states, stop, wait } = followed()
    await wait(10)
    expect([seen, states]).toEqual([[1], ['polling']])
    await stop()
  })

  it('is signed out when Supabase does not take the token and there is no other', async () => {
    readerFails = () => new TokenRefused()
    const { states, done } = followed({ streams: false, token: async (renewed) => (renewed ? null : 'old') })
    await done
    expect(states).toEqual(['signedOut'])
  })

  it('finds out that a task went away without a stream, too', async () => {
    write(1)
    const { states, wait, done } = followed({ streams: false })
    await wait(3_000)
    exists = false
    await wait(10_000)
    await done
    expect(states).toEqual(['polling', 'notFound'])
  })

  it('does not wait for a server that takes the connection and says nothing', async () => {
    answers = [silent]
    write(1)
    const { seen, states, stop, wait } = followed()
    await wait(10_100)
    expect([seen, states]).toEqual([[1], ['polling']])
    await stop()
  })

  it('does not hammer a server that accepts and cuts', async () => {
    answers = Array.from({ length: 100 }, () => says(CAUGHT_UP))
    const { stop, wait } = followed()
    await wait(20_000)
    expect(asked.length).toBeLessThan(8)
    await stop()
  })

  it('notices on waking that the connection died in its sleep', async () => {
    answers = [says(frame(1), CAUGHT_UP, null), says(frame(2), CAUGHT_UP, null)]
    const { seen, stop, wait } = followed()
    await wait(10)
    // The clock went on; the timers slept.
    vi.setSystemTime(Date.now() + 3_600_000)
    page.dispatchEvent(new Event('visibilitychange'))
    await wait(10)
    expect(seen).toEqual([1, 2])
    await stop()
  })

  it('gives the stream back when nobody looks for long, and reads what it missed', async () => {
    answers = [says(CAUGHT_UP, ...Array.from({ length: 1 }, () => frame(1)), null), says(frame(2), CAUGHT_UP, null)]
    const { seen, states, stop, wait } = followed({})
    await wait(10)
    page.hidden = true
    page.dispatchEvent(new Event('visibilitychange'))
    answers = [...Array.from({ length: 60 }, () => says(CAUGHT_UP, null))]
    await wait(11 * 60_000)
    expect(states.at(-1)).toBe('resting')
    const before = asked.length
    await wait(10 * 60_000)
    expect(asked.length).toBe(before)
    answers = [says(frame(2), CAUGHT_UP, null)]
    page.hidden = false
    page.dispatchEvent(new Event('visibilitychange'))
    await wait(10)
    expect(seen).toEqual([1, 2])
    expect(states.at(-1)).toBe('live')
    await stop()
  })
})
