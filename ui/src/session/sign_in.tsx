import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { useServed } from '@/data/client'
import { Button } from '@/kit/button'
import { Field } from '@/kit/field'
import { ProblemLine } from '@/kit/states'

/** Sign in with a password. */
export function SignIn() {
  const { t } = useTranslation('session')
  const { supabase } = useServed()
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    setBusy(true)
    const { error } = await supabase.auth.signInWithPassword({
      email: String(form.get('email')),
      password: String(form.get('password')),
    })
    setBusy(false)
    setError(error)
  }
  return (
    <main className="alone">
      <h1>{t('title')}</h1>
      <form onSubmit={(event) => void submit(event)} className="alone-form">
        <Field label={t('email')}>
          {(control) => <input {...control} name="email" type="email" autoComplete="username" required />}
        </Field>
        <Field label={t('password')}>
          {(control) => <input {...control} name="password" type="password" autoComplete="current-password" required />}
        </Field>
        <ProblemLine error={error} />
        <Button type="submit" look="primary" busy={busy}>
          {t('title')}
        </Button>
      </form>
    </main>
  )
}
