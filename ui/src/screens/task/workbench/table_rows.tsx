import { lazy, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'
import { Table, type Column } from '@/kit/table'
import { listOf, textOf, type ViewProps } from './view'

const TextView = lazy(() => import('@/viewers/text_view'))

const AT_ONCE = 100

/** A statement, and the rows that it brought. */
export default function Rows({ args, data, content }: ViewProps) {
  const { t } = useTranslation('task')
  const { t: c } = useTranslation()
  const [shown, setShown] = useState(AT_ONCE)
  const rows = listOf(data?.rows).filter((row): row is unknown[] => Array.isArray(row))
  const columns = useMemo(
    (): Column<unknown[]>[] =>
      listOf(data?.columns).map((name, index) => ({
        key: String(index),
        head: String(name),
        cell: (row) => cell(row[index]),
        number:
          rows.length > 0 && rows.slice(0, 50).every((row) => typeof row[index] === 'number' || row[index] === null),
      })),
    // The rows come with their columns.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
    [data],
  )
  return (
    <>
      <TextView text={textOf(args.sql)} language="sql" label="SQL" />
      {columns.length > 0 && (
        <Table
          label={t('workbench.result')}
          columns={columns}
          rows={rows.slice(0, shown).map((row) => row)}
          keyOf={(row) => String(rows.indexOf(row))}
        />
      )}
      {rows.length > shown && (
        <Button small onClick={() => setShown(shown + 5 * AT_ONCE)}>
          {c('more')}
        </Button>
      )}
      {data && typeof data.row_count === 'number' && (
        <p className="bench-quiet">{t('workbench.rows', { count: data.row_count })}</p>
      )}
      {data?.cut != null && <p className="bench-quiet">{t('workbench.rowsCut')}</p>}
      {!columns.length && content && <p className="bench-note">{content.slice(0, 2_000)}</p>}
    </>
  )
}

function cell(value: unknown) {
  if (value === null || value === undefined) return <span className="bench-quiet">null</span>
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return <span className="cell">{text.length > 500 ? `${text.slice(0, 500)}…` : text}</span>
}
