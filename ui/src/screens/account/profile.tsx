import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { Button } from '@/kit/button'
import { Card } from '@/kit/card'
import { Field } from '@/kit/field'
import { useNotices } from '@/kit/notices'
import { ProblemLine } from '@/kit/states'
import { AuthProblem } from '@/session/auth_problem'
import type { Access } from '@/session/session'

export function Profile({ access }: { access: Access }) {
  const { t } = useTranslation(['session', 'common'])
  const { supabase } = useServed()
  const queries = useQueryClient()
  const { tell } = useNotices()
  const [name, setName] = useState(access.full_name ?? '')
  const save = useMutation({
    mutationFn: () =>
      ask(
        supabase
          .from('users')
          .update({ full_name: name.trim() || null })
          .eq('id', access.user_id)
          .select('id')
          .single(),
      ),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['access'] })
      tell(t('account.saved'))
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!save.isPending) save.mutate()
  }
  return (
    <Card title={t('account.profile')}>
      <dl className="account-facts">
        <dt>{t('email')}</dt>
        <dd>{access.email}</dd>
      </dl>
      <form className="account-form" onSubmit={submit}>
        <Field label={t('account.fullName')} hint={t('account.fullNameHint')}>
          {(control) => (
            <input
              {...control}
              autoComplete="name"
              maxLength={255}
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
        <ProblemLine error={save.error} />
        <Button type="submit" busy={save.isPending} disabled={name.trim() === (access.full_name ?? '')}>
          {t('common:save')}
        </Button>
      </form>
    </Card>
  )
}

export function Password() {
  const { t } = useTranslation('session')
  const { supabase } = useServed()
  const { tell } = useNotices()
  const [password, setPassword] = useState('')
  const change = useMutation({
    mutationFn: async () => {
      const { error } = await supabase.auth.updateUser({ password })
      if (error) throw error
    },
    onSuccess: () => {
      setPassword('')
      tell(t('account.changed'))
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!change.isPending) change.mutate()
  }
  return (
    <Card title={t('account.passwordTitle')}>
      <form className="account-form" onSubmit={submit}>
        <Field label={t('account.newPassword')} hint={t('passwordHint')}>
          {(control) => (
            <input
              {...control}
              type="password"
              autoComplete="new-password"
              minLength={8}
              required
              value={password}
              onChange={(event) => setPassword(event.target.value)}
            />
          )}
        </Field>
        <AuthProblem error={change.error} />
        <Button type="submit" busy={change.isPending}>
          {t('account.change')}
        </Button>
      </form>
    </Card>
  )
}
