import type { Session } from '@supabase/supabase-js'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from 'react'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { useIdleSignOut } from './idle'

/** Who is signed in, as the database has it. Screens follow it; row-level security decides. */
export interface Access {
  user_id: string
  email: string | null
  full_name: string | null
  tenant_id: string
  tenant_name: string
  role: 'admin' | 'user' | 'viewer'
  is_admin: boolean
  is_operator: boolean
  can_write: boolean
}

interface SessionState {
  /** Undefined until it is known whether somebody is signed in. */
  session: Session | null | undefined
  /** Why the session ended, for the sign-in screen. */
  ended: 'idle' | 'expired' | null
  signOut: (why?: 'idle') => Promise<void>
}

const Context = createContext<SessionState | null>(null)

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

export function useAccess() {
  const { supabase } = useServed()
  const { session } = useSession()
  return useQuery({
    queryKey: ['access', session?.user.id],
    enabled: !!session,
    staleTime: 60_000,
    queryFn: async () => (await ask(supabase.rpc('my_access'))) as unknown as Access,
  })
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const { supabase } = useServed()
  const queries = useQueryClient()
  const [session, setSession] = useState<Session | null | undefined>(undefined)
  const [ended, setEnded] = useState<SessionState['ended']>(null)

  useEffect(() => {
    void supabase.auth.getSession().then(({ data }) => setSession(data.session))
    const { data } = supabase.auth.onAuthStateChange((event, next) => {
      setSession((old) => {
        // Another person's data must not be seen for a moment.
        if (old && old.user.id !== next?.user.id) queries.clear()
        return next
      })
      if (event === 'SIGNED_IN') setEnded(null)
      if (event === 'SIGNED_OUT') setEnded((why) => why ?? 'expired')
    })
    return () => data.subscription.unsubscribe()
  }, [supabase, queries])

  const signOut = useCallback(
    async (why?: 'idle') => {
      setEnded(why ?? null)
      const { error } = await supabase.auth.signOut({ scope: 'local' })
      if (error) setSession(null)
      if (!why) setEnded(null)
      queries.clear()
    },
    [supabase, queries],
  )
  useIdleSignOut(!!session, signOut)
  const value = useMemo(() => ({ session, ended, signOut }), [session, ended, signOut])
  return <Context.Provider value={value}>{children}</Context.Provider>
}
