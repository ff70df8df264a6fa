import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { number } from '@/kit/figures'
import type { TablePiece } from './table_worker'
import './table_view.css'

const ROW_HEIGHT = 32

interface Table {
  rows: string[][]
  columns: number
  done: boolean
  cut: boolean
}

const NOTHING: Table = { rows: [], columns: 0, done: false, cut: false }

/** CSV or TSV as a table: the first row heads it, and of many rows those are drawn that are in view. */
export default function TableView({ text, tabs, label }: { text: string; tabs: boolean; label: string }) {
  const { t } = useTranslation('files')
  const [table, setTable] = useState<Table>(NOTHING)
  useEffect(() => {
    const worker = new Worker(new URL('./table_worker.ts', import.meta.url), { type: 'module' })
    worker.onmessage = ({ data }: MessageEvent<TablePiece>) =>
      setTable((old) => ({
        rows: old.rows.length ? old.rows.concat(data.rows) : data.rows,
        columns: Math.max(old.columns, data.columns),
        done: data.done,
        cut: data.cut,
      }))
    worker.postMessage({ text, delimiter: tabs ? '\t' : '' })
    return () => worker.terminate()
  }, [text, tabs])
  const shown = Math.max(0, table.rows.length - 1)
  return (
    <div className="table-view">
      <p className="viewer-line" role="status">
        <span>
          {table.cut
            ? t('rowsCut', { rows: number(shown), columns: number(table.columns) })
            : t('rowsAndColumns', { rows: number(shown), columns: number(table.columns) })}
          {!table.done && ` ${t('reading')}`}
        </span>
      </p>
      {table.rows.length > 0 && <Grid rows={table.rows} label={label} />}
    </div>
  )
}

function Grid({ rows, label }: { rows: string[][]; label: string }) {
  const frame = useRef<HTMLDivElement>(null)
  const head = rows[0]!
  // Widths by the first rows: they must not jump while one scrolls.
  const sample = rows.length > 100 ? 100 : rows.length
  const widths = useMemo(() => widthsOf(rows.slice(0, sample)), [rows[0], sample]) // oxlint-disable-line react-hooks/exhaustive-deps
  const numbers = useMemo(() => numbersOf(rows.slice(1, sample), widths.length), [rows[0], sample]) // oxlint-disable-line react-hooks/exhaustive-deps
  const gutter = String(rows.length).length * 9 + 20
  const template = `${gutter}px ${widths.map((width) => `${width}px`).join(' ')}`
  // oxlint-disable-next-line react/incompatible-library
  const virtual = useVirtualizer({
    count: rows.length - 1,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
  })
  return (
    <div className="grid-frame" ref={frame} tabIndex={0} role="region" aria-label={label}>
      <div
        role="table"
        aria-label={label}
        aria-rowcount={rows.length}
        aria-colcount={widths.length + 1}
        className="grid"
      >
        <div role="rowgroup" className="grid-head">
          <div role="row" aria-rowindex={1} className="grid-row" style={{ gridTemplateColumns: template }}>
            <div role="columnheader" className="grid-number">
              #
            </div>
            {widths.map((_, column) => (
              <div
                key={column}
                role="columnheader"
                title={head[column]}
                className={`grid-cell ${numbers[column] ? 'number' : ''}`}
              >
                {head[column]}
              </div>
            ))}
          </div>
        </div>
        <div role="rowgroup" className="grid-body" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start }) => (
            <div
              key={index}
              role="row"
              aria-rowindex={index + 2}
              className="grid-row grid-virtual"
              style={{ gridTemplateColumns: template, transform: `translateY(${start}px)` }}
            >
              <div role="rowheader" className="grid-number">
                {index + 1}
              </div>
              {widths.map((_, column) => {
                const cell = rows[index + 1]![column]
                return (
                  <div key={column} role="cell" title={cell} className={`grid-cell ${numbers[column] ? 'number' : ''}`}>
                    {cell}
                  </div>
                )
              })}
            </div>
          ))}
        </div>
      </div>
    </div>
  )
}

function widthsOf(rows: string[][]): number[] {
  const columns = rows.reduce((most, row) => Math.max(most, row.length), 0)
  return Array.from({ length: columns }, (_, column) => {
    const longest = rows.reduce((most, row) => Math.max(most, row[column]?.length ?? 0), 0)
    // The heading is bolder than the rest.
    return Math.min(320, Math.max(64, longest * 8 + 26, (rows[0]?.[column]?.length ?? 0) * 9 + 28))
  })
}

function numbersOf(rows: string[][], columns: number): boolean[] {
  return Array.from({ length: columns }, (_, column) => {
    const cells = rows.map((row) => row[column]?.trim() ?? '').filter(Boolean)
    return cells.length > 0 && cells.every((cell) => /^[-+]?[\d.,\s]*\d%?$/.test(cell))
  })
}
