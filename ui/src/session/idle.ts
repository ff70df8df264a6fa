import { useQuery } from '@tanstack/react-query'
import { useEffect } from 'react'
import { useServed } from '@/data/client'

const KEY = 'agent-runtime.used'
const USES = ['pointerdown', 'keydown', 'scroll', 'touchstart'] as const

/** Sign out who has not used any tab of this browser for `session_timeout` seconds. What was typed is kept. */
export function useIdleSignOut(signedIn: boolean, signOut: (why: 'idle') => Promise<void>): void {
  const { supabase } = useServed()
  const { data: timeout = 3600 } = useQuery({
    queryKey: ['session_timeout'],
    enabled: signedIn,
    staleTime: 300_000,
    queryFn: async () => {
      const { data } = await supabase
        .from('system_config')
        .select('config_value')
        .eq('config_key', 'session_timeout')
        .maybeSingle()
      return Number(data?.config_value ?? 3600)
    },
  })
  useEffect(() => {
    if (!signedIn) return
    const note = () => localStorage.setItem(KEY, String(Date.now()))
    const check = () => {
      const used = Number(localStorage.getItem(KEY) ?? 0)
      if (used && Date.now() - used > timeout * 1000) {
        localStorage.removeItem(KEY)
        void signOut('idle')
      }
    }
    // Before anything else: the browser may have been closed for a day.
    check()
    note()
    let last = 0
    const seldom = () => {
      if (Date.now() - last > 5_000) {
        last = Date.now()
        note()
      }
    }
    const timer = setInterval(check, Math.min(15_000, timeout * 250))
    for (const name of USES) window.addEventListener(name, seldom, { passive: true })
    return () => {
      clearInterval(timer)
      for (const name of USES) window.removeEventListener(name, seldom)
    }
  }, [signedIn, timeout, signOut])
}
