import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { Button } from '@/kit/button'
import { Card } from '@/kit/card'
import { Dialog } from '@/kit/dialog'
import { ExactWord } from '@/kit/exact_text'
import { Field } from '@/kit/field'
import { number } from '@/kit/figures'
import { useNotices } from '@/kit/notices'
import { ProblemLine } from '@/kit/states'
import type { Access } from '@/session/session'
import { LIMITS } from './agent_fields'
import { Fact, Facts } from './parts'

interface Tenant {
  id: string
  name: string
  slug: string
  settings: { limits?: Record<string, number> }
}

/** The team itself: its name, which its admins change, and its limits, which are an operator's. */
export function Team({ access }: { access: Access }) {
  const { t } = useTranslation('admin')
  const { supabase } = useServed()
  const [renaming, setRenaming] = useState(false)
  const { data: tenant } = useQuery({
    queryKey: ['admin', 'tenant', access.tenant_id],
    queryFn: async () =>
      ((await ask(supabase.from('tenants').select('id, name, slug, settings'))) as unknown as Tenant[])[0] ?? null,
  })
  const limits = Object.entries(tenant?.settings.limits ?? {})
  return (
    <Card
      title={<ExactWord text={access.tenant_name} />}
      actions={
        access.is_admin ? (
          <Button small onClick={() => setRenaming(true)}>
            {t('people.rename')}
          </Button>
        ) : undefined
      }
    >
      <Facts>
        <Fact name={t('people.yourRole')}>
          {t(`people.roles.${access.role}`)}
          {access.is_operator && `, ${t('people.operator')}`}
        </Fact>
        {tenant && <Fact name={t('people.slug')}>{tenant.slug}</Fact>}
        <Fact name={t('limits.title')}>
          {limits.length === 0
            ? t('limits.noneSet')
            : limits
                .map(
                  ([name, value]) =>
                    `${LIMITS.some((one) => one === name) ? t(`limits.names.${name as 'steps'}`) : name}: ${number(value)}`,
                )
                .join(', ')}
        </Fact>
      </Facts>
      {renaming && <RenameDialog access={access} onClose={() => setRenaming(false)} />}
    </Card>
  )
}

function RenameDialog({ access, onClose }: { access: Access; onClose: () => void }) {
  const { t } = useTranslation('admin')
  const { supabase } = useServed()
  const queries = useQueryClient()
  const { tell } = useNotices()
  const [name, setName] = useState(access.tenant_name)
  const rename = useMutation({
    mutationFn: async () => await ask(supabase.rpc('rename_tenant', { p_name: name })),
    onSuccess: async () => {
      tell(t('people.done.renamed', { name }))
      await Promise.all([
        queries.invalidateQueries({ queryKey: ['access'] }),
        queries.invalidateQueries({ queryKey: ['admin', 'tenant'] }),
      ])
      onClose()
    },
  })
  return (
    <Dialog open onOpenChange={(open) => open || onClose()} title={t('people.renameTitle')}>
      <form
        className="admin-stack"
        onSubmit={(event) => {
          event.preventDefault()
          rename.mutate()
        }}
      >
        <Field label={t('agents.fields.name')}>
          {(control) => (
            <input
              {...control}
              required
              maxLength={255}
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
        <ProblemLine error={rename.error} />
        <div className="dialog-actions">
          <Button type="submit" look="primary" busy={rename.isPending}>
            {t('people.rename')}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
