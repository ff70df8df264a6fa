import { MoreHorizontal } from 'lucide-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { Button, IconButton } from '@/kit/button'
import { Card } from '@/kit/card'
import { Confirm, Dialog } from '@/kit/dialog'
import { ExactWord } from '@/kit/exact_text'
import { Field } from '@/kit/field'
import { Menu, MenuItem, MenuLine } from '@/kit/menu'
import { useNotices } from '@/kit/notices'
import { Loading, ProblemLine, ProblemState } from '@/kit/states'
import { Badge } from '@/kit/status'
import { Table } from '@/kit/table'
import type { Access } from '@/session/session'
import { Invitations } from './invitations'
import { Locked } from './parts'
import { Team } from './team'

export interface Member {
  id: string
  email: string
  username: string
  full_name: string | null
  role: Role
  is_active: boolean
}
export const ROLES = ['admin', 'user', 'viewer'] as const
export type Role = (typeof ROLES)[number]

/** Who works in the team, and as what. Its admins see and change everybody; others see themselves. */
export function People({ access }: { access: Access }) {
  const { t } = useTranslation(['admin', 'common'])
  const { supabase } = useServed()
  const {
    data: members,
    error,
    refetch,
  } = useQuery({
    queryKey: ['admin', 'members'],
    queryFn: async () =>
      (await ask(
        supabase.from('users').select('id, email, username, full_name, role, is_active').order('email').limit(1_000),
      )) as unknown as Member[],
  })
  if (!members) return error ? <ProblemState error={error} onRetry={() => void refetch()} /> : <Loading />
  return (
    <div className="admin-stack">
      <Team access={access} />
      {!access.is_admin && <Locked>{t('people.admins')}</Locked>}
      <Card title={t('people.members')}>
        <ProblemLine error={error} />
        <Members members={members} access={access} />
      </Card>
      {access.is_admin && <Invitations />}
    </div>
  )
}

/** What is done to a member, with its question where it cannot simply be taken back. */
type Step = { kind: 'role'; member: Member; role: Role } | { kind: 'active' | 'remove' | 'transfer'; member: Member }

function Members({ members, access }: { members: Member[]; access: Access }) {
  const { t } = useTranslation(['admin', 'common'])
  const { supabase } = useServed()
  const queries = useQueryClient()
  const { tell } = useNotices()
  const [asked, setAsked] = useState<Step | null>(null)
  const change = useMutation({
    mutationFn: async ({ step, to }: { step: Step; to?: string }) => {
      const p_user = step.member.id
      if (step.kind === 'role') return await ask(supabase.rpc('set_user_role', { p_user, p_role: step.role }))
      if (step.kind === 'active')
        return await ask(supabase.rpc('set_user_active', { p_user, p_active: !step.member.is_active }))
      if (step.kind === 'transfer')
        return await ask(supabase.rpc('transfer_ownership', { p_from: p_user, p_to: to ?? '' }))
      const { error, status } = await supabase.rpc('remove_user', { p_user })
      if (error) throw Object.assign(error, { status })
      return null
    },
    onSuccess: (given, { step }) => {
      setAsked(null)
      const name = step.member.email
      if (step.kind === 'role') tell(t('people.done.role', { name, role: t(`people.roles.${step.role}`) }))
      else if (step.kind === 'active')
        tell(t(step.member.is_active ? 'people.done.deactivated' : 'people.done.activated', { name }))
      else if (step.kind === 'remove') tell(t('people.done.removed', { name }))
      else {
        const { conversations, tasks, agents } = given as unknown as Record<
          'conversations' | 'tasks' | 'agents',
          number
        >
        tell(t('people.done.transferred', { conversations, tasks, agents }))
      }
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ['admin', 'members'] }),
  })
  const me = access.user_id
  return (
    <>
      <ProblemLine error={asked ? null : change.error} />
      <Table
        label={t('people.members')}
        rows={members}
        keyOf={(member) => member.id}
        columns={[
          {
            key: 'who',
            head: t('people.who'),
            cell: (member) => (
              <div className="admin-name">
                <strong>
                  <ExactWord text={member.full_name || member.username} />
                  {member.id === me && ` (${t('people.you')})`}
                </strong>
                <span className="admin-quiet">
                  <ExactWord text={member.email} />
                </span>
              </div>
            ),
          },
          {
            key: 'role',
            head: t('people.role'),
            cell: (member) =>
              access.is_admin ? (
                <select
                  className="control admin-select"
                  aria-label={t('people.roleOf', { name: member.email })}
                  value={member.role}
                  disabled={change.isPending}
                  onChange={(event) =>
                    change.mutate({ step: { kind: 'role', member, role: event.target.value as Role } })
                  }
                >
                  {ROLES.map((role) => (
                    <option key={role} value={role}>
                      {t(`people.roles.${role}`)}
                    </option>
                  ))}
                </select>
              ) : (
                t(`people.roles.${member.role}`)
              ),
          },
          {
            key: 'state',
            head: t('tools.state'),
            cell: (member) => (
              <Badge tone={member.is_active ? 'good' : 'warn'}>
                {t(member.is_active ? 'people.active' : 'people.inactive')}
              </Badge>
            ),
          },
          ...(access.is_admin
            ? [
                {
                  key: 'do',
                  head: <span className="visually-hidden">{t('actions')}</span>,
                  cell: (member: Member) => (
                    <Menu
                      trigger={
                        <IconButton label={t('people.actionsFor', { name: member.email })}>
                          <MoreHorizontal size={18} aria-hidden />
                        </IconButton>
                      }
                    >
                      <MenuItem disabled={members.length < 2} onSelect={() => setAsked({ kind: 'transfer', member })}>
                        {t('people.transfer')}
                      </MenuItem>
                      <MenuLine />
                      <MenuItem disabled={member.id === me} onSelect={() => setAsked({ kind: 'active', member })}>
                        {t(member.is_active ? 'people.deactivate' : 'people.activate')}
                      </MenuItem>
                      <MenuItem
                        danger
                        disabled={member.id === me}
                        onSelect={() => setAsked({ kind: 'remove', member })}
                      >
                        {t('people.remove')}
                      </MenuItem>
                    </Menu>
                  ),
                },
              ]
            : []),
        ]}
      />
      {asked?.kind === 'transfer' ? (
        <TransferDialog
          from={asked.member}
          members={members}
          busy={change.isPending}
          error={change.error}
          onClose={() => setAsked(null)}
          onTransfer={(to) => change.mutate({ step: asked, to })}
        />
      ) : (
        asked && (
          <Confirm
            open
            onOpenChange={(open) => open || setAsked(null)}
            title={t(`people.question.${questionOf(asked)}`, { name: asked.member.email })}
            description={t(`people.text.${questionOf(asked)}`)}
            confirm={t(`people.${questionOf(asked)}`)}
            danger={questionOf(asked) !== 'activate'}
            busy={change.isPending}
            onConfirm={() => change.mutate({ step: asked })}
          >
            <ProblemLine error={change.error} />
          </Confirm>
        )
      )}
    </>
  )
}

const questionOf = (step: Step) =>
  step.kind === 'remove' ? 'remove' : step.member.is_active ? 'deactivate' : ('activate' as const)

function TransferDialog({
  from,
  members,
  busy,
  error,
  onClose,
  onTransfer,
}: {
  from: Member
  members: Member[]
  busy: boolean
  error: unknown
  onClose: () => void
  onTransfer: (to: string) => void
}) {
  const { t } = useTranslation(['admin', 'common'])
  const others = members.filter((member) => member.id !== from.id && member.is_active)
  const [to, setTo] = useState(others[0]?.id ?? '')
  return (
    <Dialog
      open
      onOpenChange={(open) => open || onClose()}
      title={t('people.transferTitle', { name: from.email })}
      description={t('people.transferText')}
    >
      <Field label={t('people.transferTo')}>
        {(control) => (
          <select {...control} value={to} onChange={(event) => setTo(event.target.value)}>
            {others.map((member) => (
              <option key={member.id} value={member.id}>
                {member.email}
              </option>
            ))}
          </select>
        )}
      </Field>
      <ProblemLine error={error} />
      <div className="dialog-actions">
        <Button onClick={onClose}>{t('common:cancel')}</Button>
        <Button look="primary" busy={busy} disabled={!to} onClick={() => onTransfer(to)}>
          {t('people.transfer')}
        </Button>
      </div>
    </Dialog>
  )
}
