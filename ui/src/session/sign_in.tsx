import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'
import { useServed } from '@/data/client'
import { Button } from '@/kit/button'
import { Field } from '@/kit/field'
import { Banner } from '@/kit/states'
import { AuthProblem } from './auth_problem'
import { CALLBACK, rememberWhereTo } from './callback'
import { Outside } from './outside'
import { useSession } from './session'

type Mode = 'in' | 'up' | 'link'
const NAMES: Record<string, string> = { github: 'GitHub', google: 'Google' }

/** Everything that one can do without a session: sign in, make an account, ask for a link by mail. */
export function SignIn() {
  const { t } = useTranslation('session')
  const { config } = useServed()
  const { ended } = useSession()
  const [path] = useLocation()
  const ways = config.sign_in
  const [mode, setMode] = useState<Mode>(
    path === '/sign-up' && ways.sign_up ? 'up' : ways.password || !ways.magic_link ? 'in' : 'link',
  )
  const [email, setEmail] = useState('')
  const [sent, setSent] = useState<Mode | null>(null)
  if (sent)
    return (
      <Outside title={t(sent === 'up' ? 'confirm.title' : 'link.sentTitle')}>
        <p role="status">{t(sent === 'up' ? 'confirm.text' : 'link.sentText', { email })}</p>
        <Button onClick={() => setSent(null)}>{t('back')}</Button>
      </Outside>
    )
  const title = mode === 'up' ? t('signUp') : t('title')
  return (
    <Outside title={title}>
      {ended && (
        <Banner tone="info">
          <strong>{t(`ended.${ended}`)}</strong>
          <span>{t('ended.kept')}</span>
        </Banner>
      )}
      {ways.providers.length > 0 && <Providers providers={ways.providers} />}
      {(ways.password || ways.magic_link) && (
        <ByMail key={mode} mode={mode} email={email} onEmail={setEmail} onSent={() => setSent(mode)} />
      )}
      <div className="outside-ways">
        {mode !== 'in' && ways.password && (
          <Button look="ghost" small onClick={() => setMode('in')}>
            {t('toPassword')}
          </Button>
        )}
        {mode !== 'link' && ways.magic_link && (
          <Button look="ghost" small onClick={() => setMode('link')}>
            {t('toLink')}
          </Button>
        )}
        {mode !== 'up' && ways.sign_up && (
          <Button look="ghost" small onClick={() => setMode('up')}>
            {t('toSignUp')}
          </Button>
        )}
      </div>
    </Outside>
  )
}

function Providers({ providers }: { providers: string[] }) {
  const { t } = useTranslation('session')
  const { supabase } = useServed()
  const [error, setError] = useState<unknown>(null)
  const go = async (provider: string) => {
    rememberWhereTo()
    const { error } = await supabase.auth.signInWithOAuth({
      provider: provider as 'github',
      options: { redirectTo: window.location.origin + CALLBACK },
    })
    setError(error)
  }
  return (
    <div className="outside-form">
      {providers.map((provider) => (
        <Button key={provider} onClick={() => void go(provider)}>
          {t('with', { provider: NAMES[provider] ?? provider })}
        </Button>
      ))}
      <AuthProblem error={error} />
      <p className="outside-or">{t('or')}</p>
    </div>
  )
}

interface ByMailProps {
  mode: Mode
  email: string
  onEmail: (email: string) => void
  onSent: () => void
}

function ByMail({ mode, email, onEmail, onSent }: ByMailProps) {
  const { t } = useTranslation('session')
  const { supabase } = useServed()
  const [password, setPassword] = useState('')
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const send = async () => {
    const emailRedirectTo = window.location.origin + CALLBACK
    if (mode === 'in') return (await supabase.auth.signInWithPassword({ email, password })).error
    rememberWhereTo()
    if (mode === 'link') {
      // An account is made on the other form alone, where one knows that one makes it.
      const { error } = await supabase.auth.signInWithOtp({
        email,
        options: { emailRedirectTo, shouldCreateUser: false },
      })
      if (!error) onSent()
      return error
    }
    const { data, error } = await supabase.auth.signUp({ email, password, options: { emailRedirectTo } })
    if (!error && !data.session) onSent()
    return error
  }
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    if (busy) return
    setBusy(true)
    setError(null)
    try {
      setError(await send())
    } catch (thrown) {
      setError(thrown)
    }
    setBusy(false)
  }
  return (
    <form onSubmit={(event) => void submit(event)} className="outside-form">
      <Field label={t('email')}>
        {(control) => (
          <input
            {...control}
            name="email"
            type="email"
            autoComplete="username"
            required
            value={email}
            onChange={(event) => onEmail(event.target.value)}
          />
        )}
      </Field>
      {mode !== 'link' && (
        <Field label={t('password')} hint={mode === 'up' ? t('passwordHint') : undefined}>
          {(control) => (
            <input
              {...control}
              name="password"
              type="password"
              autoComplete={mode === 'up' ? 'new-password' : 'current-password'}
              minLength={mode === 'up' ? 8 : undefined}
              required
              value={password}
              onChange={(event) => setPassword(event.target.value)}
            />
          )}
        </Field>
      )}
      <AuthProblem error={error} />
      <Button type="submit" look="primary" busy={busy}>
        {t(mode === 'up' ? 'signUp' : mode === 'link' ? 'link.send' : 'title')}
      </Button>
    </form>
  )
}
