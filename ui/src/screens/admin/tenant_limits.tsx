import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useDeferredValue, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { Button } from '@/kit/button'
import { Card } from '@/kit/card'
import { Dialog } from '@/kit/dialog'
import { ExactWord } from '@/kit/exact_text'
import { number } from '@/kit/figures'
import { useNotices } from '@/kit/notices'
import { numberTyped } from '@/kit/schema'
import { ProblemLine } from '@/kit/states'
import { Table } from '@/kit/table'
import type { Access } from '@/session/session'
import { LimitFields } from './agent_form'
import { LIMITS } from './agent_fields'
import { useKeptEdit } from './kept_edit'
import { Locked } from './parts'

interface TenantRow {
  id: string
  slug: string
  name: string
  members: number
  limits: Record<string, number>
}

/** For operators: what binds each task of a tenant's people. */
export function TenantLimits({ access }: { access: Access }) {
  const { t } = useTranslation(['admin', 'common'])
  const { supabase } = useServed()
  const [wanted, setWanted] = useState('')
  const search = useDeferredValue(wanted)
  const [chosen, setChosen] = useState<TenantRow | null>(null)
  const { data: tenants, error } = useQuery({
    queryKey: ['admin', 'tenants', search],
    enabled: access.is_operator,
    placeholderData: (old) => old,
    queryFn: async () =>
      (await ask(supabase.rpc('platform_tenants', { p_search: search, p_limit: 50 }))) as unknown as TenantRow[],
  })
  return (
    <Card title={t('limits.tenants')}>
      <p className="field-hint">{t('limits.tenant')}</p>
      {!access.is_operator ? (
        <Locked>{t('limits.locked')}</Locked>
      ) : (
        <>
          <input
            type="search"
            className="control"
            aria-label={t('limits.search')}
            placeholder={t('limits.search')}
            value={wanted}
            onChange={(event) => setWanted(event.target.value)}
          />
          <ProblemLine error={error} />
          <Table
            label={t('limits.tenants')}
            rows={tenants ?? []}
            keyOf={(tenant) => tenant.id}
            columns={[
              {
                key: 'tenant',
                head: t('limits.team'),
                cell: (tenant) => (
                  <div className="admin-name">
                    <strong>
                      <ExactWord text={tenant.name} />
                    </strong>
                    <code className="admin-quiet">{tenant.slug}</code>
                  </div>
                ),
              },
              { key: 'members', head: t('people.members'), number: true, cell: (tenant) => number(tenant.members) },
              {
                key: 'limits',
                head: t('limits.title'),
                cell: (tenant) =>
                  Object.entries(tenant.limits)
                    .map(
                      ([name, value]) =>
                        `${LIMITS.some((one) => one === name) ? t(`limits.names.${name as 'steps'}`) : name}: ${number(value)}`,
                    )
                    .join(', ') || t('limits.noneSet'),
              },
              {
                key: 'do',
                head: <span className="visually-hidden">{t('actions')}</span>,
                cell: (tenant) => (
                  <Button small onClick={() => setChosen(tenant)}>
                    {t('limits.change')}
                  </Button>
                ),
              },
            ]}
          />
          {chosen && <LimitsDialog tenant={chosen} onClose={() => setChosen(null)} />}
        </>
      )}
    </Card>
  )
}

function LimitsDialog({ tenant, onClose }: { tenant: TenantRow; onClose: () => void }) {
  const { t } = useTranslation(['admin', 'common'])
  const { supabase } = useServed()
  const queries = useQueryClient()
  const { tell } = useNotices()
  const asText = Object.fromEntries(Object.entries(tenant.limits).map(([name, value]) => [name, String(value)]))
  const [edit, keep, forget] = useKeptEdit<Record<string, string>, null>(`limits.${tenant.id}`)
  const limits = edit?.fields ?? asText
  const wrong = (name: string) => typeof numberTyped(limits[name] ?? '') === 'string'
  const save = useMutation({
    mutationFn: async () => {
      const numbers = Object.fromEntries(
        Object.entries(limits).flatMap(([name, text]) => {
          const value = numberTyped(text)
          return value === undefined ? [] : [[name, value]]
        }),
      )
      return await ask(supabase.rpc('set_tenant_limits', { p_tenant: tenant.id, p_limits: numbers }))
    },
    onSuccess: async () => {
      tell(t('saved', { what: `${t('limits.title')}: ${tenant.name}` }))
      forget()
      await queries.invalidateQueries({ queryKey: ['admin', 'tenants'] })
      onClose()
    },
  })
  return (
    <Dialog
      open
      wide
      onOpenChange={(open) => open || onClose()}
      title={t('limits.of', { name: tenant.name })}
      description={t('limits.tenant')}
    >
      <LimitFields
        limits={limits}
        disabled={false}
        wrong={wrong}
        onChange={(next) => keep({ fields: next, base: null })}
      />
      <ProblemLine error={save.error} />
      <div className="dialog-actions">
        {edit && <Button onClick={forget}>{t('discard')}</Button>}
        <Button
          look="primary"
          busy={save.isPending}
          disabled={Object.keys(limits).some(wrong)}
          onClick={() => save.mutate()}
        >
          {t('common:save')}
        </Button>
      </div>
    </Dialog>
  )
}
