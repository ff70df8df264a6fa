import { Search, X } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'
import type { Access } from '@/session/session'
import { STATUSES, useAgents, type Filters } from './rows'

const SETTLE_MS = 300

interface Props {
  filters: Filters
  onChange: (changed: Partial<Filters>) => void
  access: Access | undefined
}

/** Which tasks are shown. The address holds it, so that a link leads to the same list. */
export function TaskFilters({ filters, onChange, access }: Props) {
  const { t } = useTranslation(['tasks', 'common'])
  const { data: agents } = useAgents()
  const isFiltered = Object.values(filters).some(Boolean)
  const known = agents?.some((agent) => agent.id === filters.agent)
  return (
    <div className="item-filters" role="search">
      <SearchBox query={filters.query} onChange={(query) => onChange({ query })} />
      <select
        className="control"
        aria-label={t('list.status')}
        value={filters.status}
        onChange={(event) => onChange({ status: event.target.value })}
      >
        <option value="">{t('list.allStatuses')}</option>
        <option value="open">{t('list.open')}</option>
        {STATUSES.map((status) => (
          <option key={status} value={status}>
            {t(`common:status.${status}`)}
          </option>
        ))}
      </select>
      <select
        className="control"
        aria-label={t('list.agent')}
        value={filters.agent}
        onChange={(event) => onChange({ agent: event.target.value })}
      >
        <option value="">{t('list.allAgents')}</option>
        {filters.agent && agents && !known && <option value={filters.agent}>{t('list.goneAgent')}</option>}
        {agents?.map((agent) => (
          <option key={agent.id} value={agent.id}>
            {agent.name}
          </option>
        ))}
      </select>
      <select
        className="control"
        aria-label={t('list.whose')}
        value={filters.whose}
        onChange={(event) => onChange({ whose: event.target.value })}
      >
        <option value="">{t(access?.is_admin ? 'list.everybody' : 'list.all')}</option>
        <option value="mine">{t('list.mine')}</option>
        <option value="shared">{t(access?.is_admin ? 'list.others' : 'list.shared')}</option>
      </select>
      {isFiltered && (
        <Button
          look="ghost"
          icon={<X size={16} aria-hidden />}
          onClick={() => onChange({ query: '', status: '', agent: '', whose: '' })}
        >
          {t('list.clear')}
        </Button>
      )}
    </div>
  )
}

function SearchBox({ query, onChange }: { query: string; onChange: (query: string) => void }) {
  const { t } = useTranslation('tasks')
  const [typed, setTyped] = useState(query)
  const last = useRef(query)
  const change = useRef(onChange)
  useEffect(() => {
    change.current = onChange
  })
  useEffect(() => {
    // The address changed by itself: back, a link, filters cleared.
    if (query !== last.current) setTyped((last.current = query))
  }, [query])
  useEffect(() => {
    if (typed === last.current) return
    const timer = setTimeout(() => change.current((last.current = typed)), SETTLE_MS)
    return () => clearTimeout(timer)
  }, [typed])
  return (
    <div className="item-search">
      <Search size={16} aria-hidden />
      <input
        className="control"
        type="search"
        aria-label={t('list.search')}
        placeholder={t('list.search')}
        title={t('list.searchHint')}
        maxLength={500}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
      />
    </div>
  )
}
