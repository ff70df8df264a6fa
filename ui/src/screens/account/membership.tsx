import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { Button } from '@/kit/button'
import { Card } from '@/kit/card'
import { Confirm } from '@/kit/dialog'
import { absolute } from '@/kit/figures'
import { useNotices } from '@/kit/notices'
import { Loading, ProblemLine } from '@/kit/states'
import { Badge } from '@/kit/status'
import type { Access } from '@/session/session'

interface Offer {
  id: string
  tenant: string
  role: Access['role']
  expires_at: string
}

/** Another team sees other rows: everything that is known here is asked for again. */
function useMove(move: (what: string) => PromiseLike<unknown>, said: string) {
  const queries = useQueryClient()
  const { tell } = useNotices()
  return useMutation({
    mutationFn: async (what: string) => move(what),
    onSuccess: async () => {
      await queries.invalidateQueries()
      tell(said)
    },
  })
}

export function Team({ access }: { access: Access }) {
  const { t } = useTranslation('session')
  const { supabase } = useServed()
  const [asked, setAsked] = useState(false)
  const leave = useMove((tenant) => ask(supabase.rpc('leave_tenant', { p_tenant_id: tenant })), t('account.left'))
  const isGuest = access.tenant_id !== access.home_tenant_id
  return (
    <Card
      title={t('account.team')}
      actions={
        isGuest && (
          <Button look="danger" small onClick={() => setAsked(true)}>
            {t('account.leave')}
          </Button>
        )
      }
    >
      <dl className="account-facts">
        <dt>{t('account.team')}</dt>
        <dd>{access.tenant_name}</dd>
        <dt>{t('account.role')}</dt>
        <dd>
          {t(`account.roles.${access.role}`)} {access.is_operator && <Badge tone="info">{t('account.operator')}</Badge>}
        </dd>
      </dl>
      {!isGuest && <p className="account-quiet">{t('account.own')}</p>}
      <Confirm
        open={asked}
        onOpenChange={setAsked}
        title={t('account.leaveTitle', { tenant: access.tenant_name })}
        description={t('account.leaveText', { tenant: access.tenant_name })}
        confirm={t('account.leave')}
        danger
        busy={leave.isPending}
        onConfirm={() => leave.mutate(access.tenant_id, { onSuccess: () => setAsked(false) })}
      >
        <ProblemLine error={leave.error} />
      </Confirm>
    </Card>
  )
}

export function Invitations({ access }: { access: Access }) {
  const { t } = useTranslation('session')
  const { supabase } = useServed()
  const [asked, setAsked] = useState<Offer | null>(null)
  const { data: offers, error } = useQuery({
    queryKey: ['invitations', 'mine', access.user_id],
    queryFn: async () => (await ask(supabase.rpc('my_invitations'))) as unknown as Offer[],
  })
  const accept = useMove(
    (invitation) => ask(supabase.rpc('accept_invitation', { p_invitation: invitation })),
    t('account.joined', { tenant: asked?.tenant ?? '' }),
  )
  return (
    <Card title={t('account.invitations')}>
      <ProblemLine error={error} />
      {!offers && !error && <Loading />}
      {offers?.length === 0 && (
        <p className="account-quiet">{t('account.noInvitations', { email: access.email ?? '' })}</p>
      )}
      {!!offers?.length && (
        <ul className="account-offers">
          {offers.map((offer) => (
            <li key={offer.id} className="account-offer">
              <div>
                <strong>{offer.tenant}</strong>
                <p className="account-quiet">
                  {t('account.invited', {
                    role: t(`account.roleNames.${offer.role}`),
                    until: absolute(new Date(offer.expires_at)),
                  })}
                </p>
              </div>
              <Button look="primary" small onClick={() => setAsked(offer)}>
                {t('account.accept')}
              </Button>
            </li>
          ))}
        </ul>
      )}
      <Confirm
        open={!!asked}
        onOpenChange={(open) => open || setAsked(null)}
        title={t('account.acceptTitle', { tenant: asked?.tenant ?? '' })}
        description={t('account.acceptText', { tenant: asked?.tenant ?? '' })}
        confirm={t('account.accept')}
        busy={accept.isPending}
        onConfirm={() => asked && accept.mutate(asked.id, { onSuccess: () => setAsked(null) })}
      >
        <ProblemLine error={accept.error} />
      </Confirm>
    </Card>
  )
}
