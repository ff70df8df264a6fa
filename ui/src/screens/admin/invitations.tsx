import { UserPlus } from 'lucide-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { useDraft } from '@/data/drafts'
import { Button } from '@/kit/button'
import { Card } from '@/kit/card'
import { ExactWord } from '@/kit/exact_text'
import { Field } from '@/kit/field'
import { Moment } from '@/kit/figures'
import { useNotices } from '@/kit/notices'
import { ProblemLine } from '@/kit/states'
import { Table } from '@/kit/table'
import { ROLES, type Role } from './people'

interface Invitation {
  id: string
  email: string
  role: Role
  created_at: string
  expires_at: string
  tenant_id: string
}

/** Who was invited into the team and has not come yet. */
export function Invitations() {
  const { t } = useTranslation('admin')
  const { supabase } = useServed()
  const queries = useQueryClient()
  const { tell } = useNotices()
  const again = () => queries.invalidateQueries({ queryKey: ['admin', 'invitations'] })
  const { data: invitations, error } = useQuery({
    queryKey: ['admin', 'invitations'],
    queryFn: async () => {
      const tenants = (await ask(supabase.from('tenants').select('id'))) as unknown as { id: string }[]
      // One's own, into other teams, are seen as well, and are no business of this one.
      return (await ask(
        supabase
          .from('invitations')
          .select('id, email, role, created_at, expires_at, tenant_id')
          .eq('status', 'pending')
          .in(
            'tenant_id',
            tenants.map((tenant) => tenant.id),
          )
          .order('email')
          .limit(1_000),
      )) as unknown as Invitation[]
    },
  })
  const [email, setEmail, forget] = useDraft('invite')
  const [role, setRole] = useState<Role>('user')
  const invite = useMutation({
    mutationFn: async () =>
      (await ask(supabase.rpc('invite_user', { p_email: email, p_role: role }))) as unknown as Invitation,
    onSuccess: (made) => {
      tell(t('people.done.invited', { name: made.email }))
      forget()
    },
    onSettled: again,
  })
  const revoke = useMutation({
    mutationFn: async (invitation: Invitation) =>
      await ask(supabase.rpc('revoke_invitation', { p_invitation: invitation.id })),
    onSuccess: (_row, invitation) => tell(t('people.done.revoked', { name: invitation.email })),
    onSettled: again,
  })
  return (
    <Card title={t('people.invitations')}>
      <form
        className="admin-line admin-bottom"
        onSubmit={(event) => {
          event.preventDefault()
          invite.mutate()
        }}
      >
        <Field label={t('people.email')}>
          {(control) => (
            <input
              {...control}
              type="email"
              required
              autoComplete="off"
              value={email}
              onChange={(event) => setEmail(event.target.value)}
            />
          )}
        </Field>
        <div className="admin-narrow">
          <Field label={t('people.role')}>
            {(control) => (
              <select {...control} value={role} onChange={(event) => setRole(event.target.value as Role)}>
                {ROLES.map((one) => (
                  <option key={one} value={one}>
                    {t(`people.roles.${one}`)}
                  </option>
                ))}
              </select>
            )}
          </Field>
        </div>
        <Button type="submit" look="primary" icon={<UserPlus size={16} aria-hidden />} busy={invite.isPending}>
          {t('people.invite')}
        </Button>
      </form>
      <p className="field-hint">{t('people.inviteText')}</p>
      <ProblemLine error={invite.error ?? revoke.error ?? error} />
      {invitations && invitations.length > 0 && (
        <Table
          label={t('people.invitations')}
          rows={invitations}
          keyOf={(invitation) => invitation.id}
          columns={[
            { key: 'email', head: t('people.email'), cell: (one) => <ExactWord text={one.email} /> },
            { key: 'role', head: t('people.role'), cell: (one) => t(`people.roles.${one.role}`) },
            { key: 'since', head: t('people.invitedAt'), cell: (one) => <Moment at={one.created_at} /> },
            { key: 'until', head: t('people.until'), cell: (one) => <Moment at={one.expires_at} /> },
            {
              key: 'do',
              head: <span className="visually-hidden">{t('actions')}</span>,
              cell: (one) => (
                <Button
                  small
                  busy={revoke.isPending && revoke.variables.id === one.id}
                  onClick={() => revoke.mutate(one)}
                >
                  {t('people.revoke')}
                </Button>
              ),
            },
          ]}
        />
      )}
      {invitations?.length === 0 && <p className="admin-quiet">{t('people.noInvitations')}</p>}
    </Card>
  )
}
