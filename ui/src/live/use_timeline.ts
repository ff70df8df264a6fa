import { useEffect, useReducer } from 'react'
import { useServed } from '@/data/client'
import { useToken } from '@/session/session'
import type { Delta, TaskEvent } from './events'
import { follow, type Connection } from './follow'
import { applyEvents, emptyTimeline, type Timeline } from './fold'

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
  noAccess: 'signedOut' | 'notFound' | null
}

type Action =
  | { type: 'events'; events: TaskEvent[] }
  | { type: 'delta'; delta: Delta }
  | { type: 'connection'; connection: Connection }
  | { type: 'noAccess'; why: 'signedOut' | 'notFound' }
  | { type: 'again' }

const NOTHING: Followed = { timeline: emptyTimeline(), streaming: null, connection: 'connecting', noAccess: null }

function reduce(state: Followed, action: Action): Followed {
  switch (action.type) {
    case 'events': {
      const timeline = applyEvents(state.timeline, action.events)
      const recorded = action.events.some((event) => event.kind === 'message.created' || event.kind === 'task.status')
      return { ...state, timeline, streaming: recorded ? null : state.streaming }
    }
    case 'delta': {
      const { step, content, thinking, restart } = action.delta
      const old = state.streaming?.step === step && !restart ? state.streaming : { step, content: '', thinking: '' }
      return { ...state, streaming: { step, content: old.content + content, thinking: old.thinking + thinking } }
    }
    case 'connection':
      return state.connection === action.connection
        ? state
        : { ...state, connection: action.connection, streaming: action.connection === 'live' ? state.streaming : null }
    case 'noAccess':
      return { ...state, connection: 'ended', noAccess: action.why }
    case 'again':
      return NOTHING
  }
}

/** A task's timeline, live. Nothing is lost or shown twice over cuts of the network, the server and the API. */
export function useTimeline(taskId: string): Followed {
  const { config, supabase } = useServed()
  const token = useToken()
  const [state, dispatch] = useReducer(reduce, NOTHING)
  useEffect(() => {
    const ends = new AbortController()
    dispatch({ type: 'again' })
    void follow({
      taskId,
      supabase,
      token,
      streams: config.live,
      onEvents: (events) => dispatch({ type: 'events', events }),
      onDelta: (delta) => dispatch({ type: 'delta', delta }),
      onConnection: (connection) => dispatch({ type: 'connection', connection }),
      onNoAccess: (why) => dispatch({ type: 'noAccess', why }),
      signal: ends.signal,
    })
    return () => ends.abort()
  }, [taskId, config.live, supabase, token])
  return state
}
