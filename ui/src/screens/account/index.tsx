import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { useServed } from '@/data/client'
import { Button } from '@/kit/button'
import { Card, ScreenHead } from '@/kit/card'
import { duration } from '@/kit/figures'
import { Field } from '@/kit/field'
import { Loading, ProblemState } from '@/kit/states'
import { chooseLanguage, language, LANGUAGES, type Language } from '@/i18n'
import { useAccess, useSession } from '@/session/session'
import { chooseTheme, chosenTheme, type Theme } from '@/shell/theme'
import { useState } from 'react'
import { Invitations, Team } from './membership'
import { Password, Profile } from './profile'
import './account.css'

/** Who the person is here: profile, team, invitations, looks, password, session. */
export default function Account() {
  const { t } = useTranslation(['session', 'common'])
  const { data: access, error, refetch } = useAccess()
  if (error && !access) return <ProblemState error={error} onRetry={() => void refetch()} />
  if (!access) return <Loading />
  return (
    <div className="account">
      <ScreenHead title={t('account.title')} />
      <Profile access={access} />
      <Team access={access} />
      <Invitations access={access} />
      <Looks />
      <Password />
      <SessionCard />
    </div>
  )
}

function Looks() {
  const { t } = useTranslation(['session', 'common'])
  const [theme, setTheme] = useState(chosenTheme)
  return (
    <Card title={t('account.look')}>
      <div className="account-pair">
        <Field label={t('common:theme.label')}>
          {(control) => (
            <select
              {...control}
              value={theme}
              onChange={(event) => {
                const next = event.target.value as Theme
                setTheme(next)
                chooseTheme(next)
              }}
            >
              <option value="system">{t('common:theme.system')}</option>
              <option value="light">{t('common:theme.light')}</option>
              <option value="dark">{t('common:theme.dark')}</option>
            </select>
          )}
        </Field>
        <Field label={t('common:language')}>
          {(control) => (
            <select
              {...control}
              value={language()}
              onChange={(event) => void chooseLanguage(event.target.value as Language)}
            >
              {Object.entries(LANGUAGES).map(([tag, name]) => (
                <option key={tag} value={tag} lang={tag}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
    </Card>
  )
}

function SessionCard() {
  const { t } = useTranslation(['session', 'common'])
  const { signOut } = useSession()
  const { supabase } = useServed()
  const { data: timeout } = useQuery({
    queryKey: ['session_timeout', 'account'],
    staleTime: 300_000,
    queryFn: async () => {
      const { data, error } = await supabase
        .from('system_config')
        .select('config_value')
        .eq('config_key', 'session_timeout')
        .maybeSingle()
      if (error) throw error
      return Number(data?.config_value) || 3600
    },
  })
  return (
    <Card title={t('account.session')} actions={<Button onClick={() => void signOut()}>{t('common:signOut')}</Button>}>
      {timeout && <p className="account-quiet">{t('account.sessionText', { time: duration(timeout) })}</p>}
    </Card>
  )
}
