import { useQuery } from '@tanstack/react-query'
import { useEffect } from 'react'
import { useServed } from '@/data/client'

const USED = 'agent-runtime.used'
const TIMEOUT = 'agent-runtime.session_timeout'
const USES = ['pointerdown', 'keydown', 'scroll', 'touchstart'] as const

/** Nobody is signed in any more: what was noted of the use is of no more use. */
export function forgetUse(): void {
  localStorage.removeItem(USED)
}

/** Sign out who has not used any tab of this browser for `session_timeout` seconds. What was typed is kept. */
export function useIdleSignOut(signedIn: boolean, signOut: (why: 'idle') => Promise<void>): void {
  const { supabase } = useServed()
  const { data: timeout } = useQuery({
    queryKey: ['session_timeout'],
    enabled: signedIn,
    staleTime: 300_000,
    // Remembered, so that a browser that was closed for a day knows it before Supabase has answered.
    placeholderData: () => Number(localStorage.getItem(TIMEOUT)) || undefined,
    queryFn: async () => {
      const { data, error } = await supabase
        .from('system_config')
        .select('config_value')
        .eq('config_key', 'session_timeout')
        .maybeSingle()
      if (error) throw error
      const seconds = Number(data?.config_value) || 3600
      localStorage.setItem(TIMEOUT, String(seconds))
      return seconds
    },
  })
  useEffect(() => {
    if (!signedIn || !timeout) return
    const note = () => localStorage.setItem(USED, String(Date.now()))
    const check = () => {
      const used = Number(localStorage.getItem(USED))
      if (!used || Date.now() - used <= timeout * 1000) return false
      void signOut('idle')
      return true
    }
    // Before anything else: the browser may have been closed for a day.
    if (check()) return
    note()
    let last = 0
    const seldom = () => {
      // Whoever comes back after too long is signed out by the first touch, not let in by it.
      if (check() || Date.now() - last < 5_000) return
      last = Date.now()
      note()
    }
    const timer = setInterval(check, Math.min(15_000, timeout * 250))
    for (const name of USES) window.addEventListener(name, seldom, { passive: true })
    document.addEventListener('visibilitychange', check)
    return () => {
      clearInterval(timer)
      for (const name of USES) window.removeEventListener(name, seldom)
      document.removeEventListener('visibilitychange', check)
    }
  }, [signedIn, timeout, signOut])
}
