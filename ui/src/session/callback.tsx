import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'
import { useServed } from '@/data/client'
import { Button } from '@/kit/button'
import { Loading } from '@/kit/states'
import { AuthProblem } from './auth_problem'
import { Outside } from './outside'

/** Where providers and links in mails lead back to. It has to be among the redirect URLs that Auth allows. */
export const CALLBACK = '/auth/callback'
const NEXT = 'agent-runtime.next'

/** After the sign-in, go on where the person was. */
export function rememberWhereTo(): void {
  const { pathname, search } = window.location
  if (pathname !== CALLBACK) sessionStorage.setItem(NEXT, pathname + search)
}

function whereTo(): string {
  const next = sessionStorage.getItem(NEXT) ?? '/'
  sessionStorage.removeItem(NEXT)
  // Only ever a place of this page.
  return next.startsWith('/') && !next.startsWith('//') ? next : '/'
}

/** Back from a provider or a mail: exchanges what came along for a session, or says why that cannot be. */
export function AuthCallback() {
  const { t } = useTranslation('session')
  const { supabase } = useServed()
  const [, go] = useLocation()
  // Auth takes these off the address.
  const [given] = useState(() => {
    const said = new URLSearchParams(window.location.search)
    for (const [name, value] of new URLSearchParams(window.location.hash.slice(1))) said.set(name, value)
    return said
  })
  const [error, setError] = useState<unknown>(null)
  useEffect(() => {
    const take = async () => {
      const refused = given.get('error_description') ?? given.get('error')
      if (refused) throw new Error(refused)
      const hash = given.get('token_hash')
      if (hash) {
        const type = (given.get('type') ?? 'email') as 'email'
        const { error } = await supabase.auth.verifyOtp({ token_hash: hash, type })
        if (error) throw error
      } else {
        const { error } = await supabase.auth.initialize()
        if (error) throw error
      }
      if (!(await supabase.auth.getSession()).data.session) throw new Error(t('callback.otherBrowser'))
      go(whereTo(), { replace: true })
    }
    take().catch(setError)
  }, [supabase, given, go, t])
  if (!error) return <Loading label={t('callback.wait')} />
  return (
    <Outside title={t('callback.failed')}>
      <AuthProblem error={error} />
      <Button look="primary" onClick={() => go(whereTo(), { replace: true })}>
        {t('title')}
      </Button>
    </Outside>
  )
}
