import { useInfiniteQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'wouter'
import { useServed } from '@/data/client'
import { Button } from '@/kit/button'
import { Card } from '@/kit/card'
import { Changes } from '@/kit/changes'
import { ExactWord } from '@/kit/exact_text'
import { Field } from '@/kit/field'
import { absolute, number } from '@/kit/figures'
import type { Json } from '@/kit/schema'
import { Empty, Loading, ProblemLine, ProblemState } from '@/kit/states'
import { Badge } from '@/kit/status'
import type { Access } from '@/session/session'
import { AuditChain } from './audit_chain'
import { auditPage, FILTERS, type AuditFilter, type AuditRow } from './audit_data'
import { Fact, Facts, NoAccess } from './parts'

const ACTIONS = ['insert', 'update', 'delete', 'sign_in', 'read', 'install', 'retire'] as const
const RESOURCES = [
  'agents',
  'conversations',
  'credentials',
  'execution_decisions',
  'files',
  'invitations',
  'messages',
  'system_config',
  'tasks',
  'tenants',
  'tool_executions',
  'tools',
  'users',
  'workers',
]

/** Who changed what in the team: its admins read it, and operators what belongs to the platform. */
export function Audit({ access }: { access: Access }) {
  const { t } = useTranslation('admin')
  const { supabase } = useServed()
  const [params, setParams] = useSearchParams()
  const filter = Object.fromEntries(FILTERS.map((name) => [name, params.get(name) ?? ''])) as unknown as AuditFilter
  const set = (name: keyof AuditFilter, value: string) =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old)
        if (value) next.set(name, value)
        else next.delete(name)
        return next
      },
      { replace: true },
    )
  const pages = useInfiniteQuery({
    queryKey: ['admin', 'audit', filter],
    initialPageParam: null as AuditRow | null,
    queryFn: ({ pageParam, signal }) => auditPage(supabase, filter, pageParam, signal),
    getNextPageParam: (page) => page.next,
    refetchOnWindowFocus: false,
  })
  const rows = pages.data?.pages.flatMap((page) => page.rows) ?? []
  const searched = pages.data?.pages.reduce((sum, page) => sum + page.searched, 0) ?? 0
  const filtered = FILTERS.some((name) => filter[name])
  if (!access.is_admin && !access.is_operator && pages.data && rows.length === 0)
    return <NoAccess>{t('audit.noAccess')}</NoAccess>
  return (
    <div className="admin-stack">
      <p className="admin-lead">{t('audit.lead')}</p>
      {access.is_admin && <AuditChain filter={filter} />}
      <Card>
        <Filters filter={filter} onChange={set} />
      </Card>
      <ProblemLine error={pages.data ? pages.error : null} />
      {!pages.data ? (
        pages.error ? (
          <ProblemState error={pages.error} onRetry={() => void pages.refetch()} />
        ) : (
          <Loading />
        )
      ) : rows.length === 0 && !pages.hasNextPage ? (
        <Empty title={t('audit.none')}>{filtered && <p>{t('audit.noneFiltered')}</p>}</Empty>
      ) : (
        <>
          <div className="audit-rows">
            {rows.map((row) => (
              <AuditEntry key={row.id} row={row} onRow={(id) => set('row', id)} />
            ))}
          </div>
          <div className="admin-line">
            {pages.hasNextPage && (
              <Button busy={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
                {t('audit.older')}
              </Button>
            )}
            <span className="admin-quiet" role="status">
              {filter.text
                ? t('audit.searched', { count: searched, shown: number(searched) })
                : t('audit.shown', { count: rows.length })}
            </span>
          </div>
        </>
      )}
    </div>
  )
}

function Filters({
  filter,
  onChange,
}: {
  filter: AuditFilter
  onChange: (name: keyof AuditFilter, value: string) => void
}) {
  const { t } = useTranslation('admin')
  const select = (name: 'action' | 'resource', options: readonly string[]) => (
    <Field label={t(`audit.filter.${name}`)}>
      {(control) => (
        <select {...control} value={filter[name]} onChange={(event) => onChange(name, event.target.value)}>
          <option value="">{t('audit.filter.all')}</option>
          {[...options, ...(filter[name] && !options.includes(filter[name]) ? [filter[name]] : [])].map((option) => (
            <option key={option} value={option}>
              {option}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
  const input = (name: 'since' | 'until' | 'actor' | 'row' | 'text', type: string) => (
    <Field label={t(`audit.filter.${name}`)}>
      {(control) => (
        <input
          {...control}
          key={`${name}-${type === 'text' ? '' : filter[name]}`}
          type={type}
          placeholder={name === 'actor' ? t('audit.filter.actorHint') : undefined}
          autoComplete="off"
          defaultValue={filter[name]}
          // Asked when one has finished typing, not at each letter.
          onBlur={(event) => onChange(name, event.target.value.trim())}
          onKeyDown={(event) => event.key === 'Enter' && onChange(name, event.currentTarget.value.trim())}
        />
      )}
    </Field>
  )
  const isFiltered = FILTERS.some((name) => filter[name])
  return (
    <div
      className="admin-fields audit-filters"
      role="search"
      aria-label={t('audit.filter.label')}
      key={isFiltered ? 'some' : 'none'}
    >
      {input('text', 'search')}
      {select('action', ACTIONS)}
      {select('resource', RESOURCES)}
      {input('actor', 'text')}
      {input('row', 'text')}
      {input('since', 'datetime-local')}
      {input('until', 'datetime-local')}
      {isFiltered && (
        <Button onClick={() => FILTERS.forEach((name) => onChange(name, ''))}>{t('audit.filter.clear')}</Button>
      )}
    </div>
  )
}

function AuditEntry({ row, onRow }: { row: AuditRow; onRow: (id: string) => void }) {
  const { t } = useTranslation('admin')
  return (
    <details className="audit-row">
      <summary>
        <time className="admin-quiet" dateTime={row.created_at}>
          {absolute(new Date(row.created_at))}
        </time>
        <span className="audit-action">{row.action}</span>
        <code>{row.resource_type}</code>
        <span className="audit-who">
          <ExactWord text={row.actor} />
        </span>
        {row.tenant_id === null && <Badge tone="info">{t('tools.platform')}</Badge>}
        <span className="admin-quiet">#{row.chain_seq}</span>
      </summary>
      <div className="audit-more">
        {(row.old_values || row.new_values) && (
          <Changes
            before={(row.old_values ?? {}) as Json}
            after={(row.action === 'delete' ? {} : (row.new_values ?? {})) as Json}
            label={t('audit.values')}
          />
        )}
        <Facts>
          {row.resource_id && (
            <Fact name={t('audit.filter.row')}>
              <button type="button" className="link-button" onClick={() => onRow(row.resource_id!)}>
                {row.resource_id}
              </button>
            </Fact>
          )}
          {row.ip_address && <Fact name={t('audit.address')}>{row.ip_address}</Fact>}
          {row.user_agent && (
            <Fact name={t('audit.program')}>
              <ExactWord text={row.user_agent} />
            </Fact>
          )}
        </Facts>
      </div>
    </details>
  )
}
