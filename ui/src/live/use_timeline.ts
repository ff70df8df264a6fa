import { useEffect, useReducer } from 'react'
import { useServed, type Supabase } from '@/data/client'
import type { Delta, TaskEvent } from './events'
import { follow, type Connection, type NoAccess } from './follow'
import { applyEvents, emptyTimeline, type Timeline } from './fold'
import { readerOf } from './read_events'

/** The answer that the model is giving now, before it is recorded. */
export interface Streaming {
  step: number
  content: string
  thinking: string
}

export interface Followed {
  timeline: Timeline
  streaming: Streaming | null
  connection: Connection
  /** All events that there were when the page was opened are here. */
  isComplete: boolean
  /** How many events were handed over: as many as the table has, if none was lost and none came twice. */
  received: number
  noAccess: NoAccess | null
}

interface News {
  events: TaskEvent[]
  deltas: Delta[]
}

type Action =
  | { type: 'news'; news: News }
  | { type: 'connection'; connection: Connection }
  | { type: 'noAccess'; why: NoAccess }
  | { type: 'again' }

const NOTHING: Followed = {
  timeline: emptyTimeline(),
  streaming: null,
  connection: 'connecting',
  isComplete: false,
  received: 0,
  noAccess: null,
}
// A page draws this often at most while a backlog or an answer pours in.
const DRAW_MS = 50

export function reduce(state: Followed, action: Action): Followed {
  switch (action.type) {
    case 'news': {
      const { events, deltas } = action.news
      return {
        ...state,
        timeline: applyEvents(state.timeline, events),
        received: state.received + events.length,
        streaming: deltas.reduce(joined, events.some(endsAnswer) ? null : state.streaming),
      }
    }
    case 'connection': {
      const { connection } = action
      if (state.connection === connection) return state
      return {
        ...state,
        connection,
        isComplete: state.isComplete || connection === 'live' || connection === 'polling',
        streaming: connection === 'live' ? state.streaming : null,
      }
    }
    case 'noAccess':
      return { ...state, connection: 'ended', streaming: null, noAccess: action.why }
    case 'again':
      return NOTHING
  }
}

function endsAnswer({ kind, payload }: TaskEvent): boolean {
  return kind === 'task.status' || (kind === 'message.created' && payload.role === 'assistant')
}

function joined(old: Streaming | null, { step, content, thinking, restart }: Delta): Streaming {
  if (!old || old.step !== step || restart) return { step, content, thinking }
  return { step, content: old.content + content, thinking: old.thinking + thinking }
}

/** A task's timeline, live. Nothing is lost or shown twice over cuts of the network, the server and the API. */
export function useTimeline(taskId: string): Followed {
  const { config, supabase } = useServed()
  const [state, dispatch] = useReducer(reduce, NOTHING)
  useEffect(() => {
    const ends = new AbortController()
    let news: News = { events: [], deltas: [] }
    let timer: ReturnType<typeof setTimeout> | undefined
    const tell = () => {
      clearTimeout(timer)
      timer = undefined
      if (ends.signal.aborted || (!news.events.length && !news.deltas.length)) return
      dispatch({ type: 'news', news })
      news = { events: [], deltas: [] }
    }
    const soon = () => {
      timer ??= setTimeout(tell, DRAW_MS)
    }
    const unlessOver = (action: Action) => {
      tell()
      if (!ends.signal.aborted) dispatch(action)
    }
    dispatch({ type: 'again' })
    void follow({
      taskId,
      reader: readerOf(supabase),
      token: (renewed) => tokenOf(supabase, renewed),
      streams: config.live,
      onEvents: (events) => {
        // An answer's pieces that came before its message are not shown after it.
        if (events.some(endsAnswer)) news.deltas = []
        for (const event of events) news.events.push(event)
        soon()
      },
      onDelta: (delta) => {
        news.deltas.push(delta)
        soon()
      },
      onConnection: (connection) => unlessOver({ type: 'connection', connection }),
      onNoAccess: (why) => unlessOver({ type: 'noAccess', why }),
      signal: ends.signal,
    })
    return () => {
      ends.abort()
      clearTimeout(timer)
    }
  }, [taskId, config.live, supabase])
  return state
}

async function tokenOf(supabase: Supabase, renewed?: boolean): Promise<string | null> {
  const { data, error } = await (renewed ? supabase.auth.refreshSession() : supabase.auth.getSession())
  // Refused by Auth: the session is over. Not answered: that says nothing.
  if (error && (!error.status || error.status >= 500)) throw error
  return data.session?.access_token ?? null
}
