import { SearchX } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'
import { Empty, Loading, ProblemLine, ProblemState } from '@/kit/states'
import type { Access } from '@/session/session'
import { TaskFilters } from './filters'
import { useFilters, useTasks } from './rows'
import { TaskItem } from './task_item'

const EXAMPLES = ['data', 'web', 'text'] as const

export function TaskList({ access, onExample }: { access: Access | undefined; onExample: (prompt: string) => void }) {
  const { t } = useTranslation(['tasks', 'common'])
  const [filters, change] = useFilters()
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage, isPlaceholderData } = useTasks(filters)
  const rows = data?.pages.flat() ?? []
  const isFiltered = Object.values(filters).some(Boolean)
  const clear = () => change({ query: '', status: '', agent: '', whose: '' })
  if (data && rows.length === 0 && !isFiltered) return <NoTaskYet access={access} onExample={onExample} />
  return (
    <section className="tasks" aria-label={t('list.label')}>
      <TaskFilters filters={filters} onChange={change} access={access} />
      <p className="visually-hidden" role="status">
        {data && !isPlaceholderData
          ? hasNextPage
            ? t('list.countMore', { count: rows.length })
            : t('list.count', { count: rows.length })
          : ''}
      </p>
      {error && data && (
        <div className="tasks-stale">
          <ProblemLine error={error} />
          <Button small onClick={() => void refetch()}>
            {t('common:retry')}
          </Button>
        </div>
      )}
      {!data && (error ? <ProblemState error={error} onRetry={() => void refetch()} /> : <Loading />)}
      {data && rows.length === 0 && (
        <Empty title={t('empty.nothing')} icon={SearchX}>
          <p>{t('empty.nothingText')}</p>
          <Button onClick={clear}>{t('list.clear')}</Button>
        </Empty>
      )}
      {rows.length > 0 && (
        <ul className="item-list" aria-busy={isPlaceholderData || undefined}>
          {rows.map((row) => (
            <TaskItem key={row.id} row={row} access={access} />
          ))}
        </ul>
      )}
      {hasNextPage && (
        <div className="tasks-more">
          <Button busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {t('common:more')}
          </Button>
        </div>
      )}
    </section>
  )
}

function NoTaskYet({ access, onExample }: { access: Access | undefined; onExample: (prompt: string) => void }) {
  const { t } = useTranslation('tasks')
  if (!access?.can_write)
    return (
      <Empty title={t('empty.title')}>
        <p>{t('empty.viewer')}</p>
      </Empty>
    )
  return (
    <Empty title={t('empty.title')}>
      <p>{t('empty.text')}</p>
      <ul className="examples">
        {EXAMPLES.map((name) => (
          <li key={name}>
            <button type="button" className="example" onClick={() => onExample(t(`empty.examples.${name}.prompt`))}>
              <strong>{t(`empty.examples.${name}.name`)}</strong>
              <span>{t(`empty.examples.${name}.prompt`)}</span>
            </button>
          </li>
        ))}
      </ul>
    </Empty>
  )
}
