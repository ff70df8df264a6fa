import { useQuery, useQueryClient } from '@tanstack/react-query'
import type { Session } from '@supabase/supabase-js'
import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from 'react'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { problemOf } from '@/data/problem'
import { SESSION_KEY } from '@/data/supabase'
import { forgetUse, useIdleSignOut } from './idle'

/** Who is signed in, as the database has it. Screens follow it; row-level security decides. */
export interface Access {
  user_id: string
  email: string | null
  full_name: string | null
  tenant_id: string
  home_tenant_id: string
  tenant_name: string
  role: 'admin' | 'user' | 'viewer'
  is_admin: boolean
  is_operator: boolean
  can_write: boolean
}

interface SessionState {
  /** Undefined until it is known whether somebody is signed in. */
  session: Session | null | undefined
  /** Somebody is signed in, but the token has run out and Auth does not answer: asked again by itself. */
  away: boolean
  /** Why the session ended, for the sign-in screen. */
  ended: 'idle' | 'expired' | null
  signOut: (why?: 'idle') => Promise<void>
}

const Context = createContext<SessionState | null>(null)
// Why this browser was signed out, for its other tabs and after a reload: 'idle' or 'person'.
const WHY = 'agent-runtime.signed_out'
const ASK_AGAIN = 5_000
const PATIENCE = 6_000

export function useSession(): SessionState {
  const state = useContext(Context)
  if (!state) throw new Error('no session here')
  return state
}

/** The person's token of now, renewed when it is about to expire. */
export function useToken(): () => Promise<string | null> {
  const { supabase } = useServed()
  return useCallback(async () => (await supabase.auth.getSession()).data.session?.access_token ?? null, [supabase])
}

/** Null for somebody who is signed in and has no active profile. */
function useProfile<Told>(tell: (access: Access | null) => Told) {
  const { supabase } = useServed()
  const { session } = useSession()
  return useQuery({
    queryKey: ['access', session?.user.id],
    enabled: !!session,
    staleTime: 30_000,
    // Who is deactivated, promoted or moved sees it soon, without a reload.
    refetchInterval: 30_000,
    queryFn: async () => {
      try {
        return (await ask(supabase.rpc('my_access'))) as unknown as Access
      } catch (error) {
        // An answer like another: what is shown must not change back while it is asked for again.
        if (problemOf(error).kind === 'denied') return null
        throw error
      }
    },
    select: tell,
  })
}

const whoItIs = (access: Access | null): Access | undefined => access ?? undefined
const hasNone = (access: Access | null): boolean => access === null

export const useAccess = () => useProfile(whoItIs)

/** Whether it is known that the person's profile was deactivated or removed. */
export const useIsInactive = (): boolean => useProfile(hasNone).data ?? false

export function SessionProvider({ children }: { children: ReactNode }) {
  const { supabase } = useServed()
  const queries = useQueryClient()
  const [session, setSession] = useState<Session | null | undefined>(undefined)
  const [away, setAway] = useState(false)
  const [wasSignedIn] = useState(() => localStorage.getItem(SESSION_KEY) !== null)
  const [ended, setEnded] = useState<SessionState['ended']>(null)

  useEffect(() => {
    const { data } = supabase.auth.onAuthStateChange((event, next) => {
      const isKept = localStorage.getItem(SESSION_KEY) !== null
      setAway(!next && isKept)
      setSession((old) => {
        // Another person's data must not be seen for a moment.
        if (old && old.user.id !== next?.user.id) queries.clear()
        return next ?? (isKept ? undefined : null)
      })
      if (next) {
        localStorage.removeItem(WHY)
        setEnded(null)
      } else if (!isKept && (event === 'SIGNED_OUT' || event === 'INITIAL_SESSION')) {
        const why = localStorage.getItem(WHY)
        setEnded(why === 'idle' ? 'idle' : why === null && (event === 'SIGNED_OUT' || wasSignedIn) ? 'expired' : null)
        forgetUse()
      }
    })
    // Another tab signed out while Auth did not answer, which auth-js tells nobody.
    const leave = (event: StorageEvent) => {
      if (event.key !== SESSION_KEY || event.newValue) return
      setSession(null)
      setEnded(localStorage.getItem(WHY) === 'idle' ? 'idle' : null)
      queries.clear()
    }
    window.addEventListener('storage', leave)
    return () => {
      data.subscription.unsubscribe()
      window.removeEventListener('storage', leave)
    }
  }, [supabase, queries, wasSignedIn])

  useEffect(() => {
    // Auth is asked for half a minute before auth-js gives up: said sooner.
    if (session !== undefined || !wasSignedIn) return
    const timer = setTimeout(() => setAway(true), PATIENCE)
    return () => clearTimeout(timer)
  }, [session, wasSignedIn])

  useEffect(() => {
    if (!away) return
    const timer = setInterval(() => {
      // A token that comes of it is told to everybody who listens, the handler above among them.
      void supabase.auth.getSession()
    }, ASK_AGAIN)
    return () => clearInterval(timer)
  }, [away, supabase])

  useLookAgainWhenDenied(session?.user.id)

  const signOut = useCallback(
    async (why?: 'idle') => {
      localStorage.setItem(WHY, why ?? 'person')
      forgetUse()
      // The tokens leave this browser whether Auth answers or not.
      await supabase.auth.signOut({ scope: 'local' })
      localStorage.removeItem(SESSION_KEY)
      setAway(false)
      setSession(null)
      setEnded(why ?? null)
      queries.clear()
    },
    [supabase, queries],
  )
  useIdleSignOut(!!session, signOut)
  const value = useMemo(() => ({ session, away, ended, signOut }), [session, away, ended, signOut])
  return <Context.Provider value={value}>{children}</Context.Provider>
}

/** Where anything is denied, the person may have been deactivated meanwhile: ask at once who that is now. */
function useLookAgainWhenDenied(userId: string | undefined): void {
  const queries = useQueryClient()
  useEffect(() => {
    if (!userId) return
    const look = (error: unknown, key: unknown) => {
      if (key === 'access' || problemOf(error).kind !== 'denied') return
      void queries.invalidateQueries({ queryKey: ['access', userId] })
    }
    const stopQueries = queries.getQueryCache().subscribe((event) => {
      if (event.type === 'updated' && event.action.type === 'error') look(event.action.error, event.query.queryKey[0])
    })
    const stopMutations = queries.getMutationCache().subscribe((event) => {
      if (event.type === 'updated' && event.action.type === 'error') look(event.action.error, null)
    })
    return () => {
      stopQueries()
      stopMutations()
    }
  }, [queries, userId])
}
