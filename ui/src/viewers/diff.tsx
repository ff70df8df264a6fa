import { ChevronsUpDown } from 'lucide-react'
import { useEffect, useMemo, useState, type CSSProperties } from 'react'
import { useTranslation } from 'react-i18next'
import { number } from '@/kit/figures'
import { Loading } from '@/kit/states'
import { compare, hunksOf, sideBySide, type Compared, type Hunk, type Row } from './diff_rows'
import { useHighlight } from './highlight'
import { Tokens } from './text_view'
import type { Line } from './tokens'
import './text_view.css'
import './file_view.css'
import './diff.css'

/** Up to this much it is compared in the page: sooner than a worker begins. */
const SMALL = 20_000
const HUNK_AT_ONCE = 1_500
const LINE_SHOWN = 2_000

export interface TextDiffProps {
  before: string
  after: string
  /** The highlighter's name of the language (viewers/languages.ts); none for plain text. */
  language?: string
}

/** What became of a text, line by line, as one column or as two. */
export default function TextDiff({ before, after, language }: TextDiffProps) {
  const { t } = useTranslation('files')
  const compared = useCompared(before, after)
  const [split, setSplit] = useState(false)
  const old = useHighlight(before, language ?? null)
  const now = useHighlight(after, language ?? null)
  const hunks = useMemo(() => (compared ? hunksOf(compared.rows) : []), [compared])
  if (compared === undefined) return <Loading label={t('comparing')} />
  if (compared === null) return <p className="viewer-note">{t('diffTooLarge')}</p>
  if (compared.added + compared.removed === 0) return <p className="viewer-note">{t('sameText')}</p>
  const digits = String(Math.max(1, compared.rows.length)).length
  return (
    <div className="diff">
      <div className="viewer-line">
        <span>
          <span className="diff-plus">+{number(compared.added)}</span>{' '}
          <span className="diff-minus">−{number(compared.removed)}</span>{' '}
          <span className="visually-hidden">
            {t('diffCounts', { added: number(compared.added), removed: number(compared.removed) })}
          </span>
        </span>
        <div className="viewer-segments" role="group" aria-label={t('view')}>
          <button type="button" className="viewer-segment" aria-pressed={!split} onClick={() => setSplit(false)}>
            {t('unified')}
          </button>
          <button type="button" className="viewer-segment" aria-pressed={split} onClick={() => setSplit(true)}>
            {t('split')}
          </button>
        </div>
      </div>
      <div className="code-frame" tabIndex={0} role="region" aria-label={t('differences')}>
        <div className={`code diff-code ${split ? 'diff-split' : ''}`} style={{ '--digits': digits } as CSSProperties}>
          {hunks.map((hunk, index) => (
            <Part key={index} hunk={hunk} split={split} old={old} now={now} />
          ))}
        </div>
      </div>
    </div>
  )
}

interface Colours {
  old: Line[] | null
  now: Line[] | null
}

function Part({ hunk, split, old, now }: { hunk: Hunk; split: boolean } & Colours) {
  const { t } = useTranslation('files')
  const [open, setOpen] = useState(hunk.type === 'shown')
  const [shown, setShown] = useState(HUNK_AT_ONCE)
  if (!open)
    return (
      <button type="button" className="diff-fold" onClick={() => setOpen(true)}>
        <ChevronsUpDown size={14} aria-hidden />{' '}
        {t('unchanged', { count: hunk.rows.length, number: number(hunk.rows.length) })}
      </button>
    )
  const rows = hunk.rows.slice(0, shown)
  return (
    <>
      {split
        ? sideBySide(rows).map(([left, right], index) => (
            <div key={index} className="diff-pair">
              <Side row={left} side="old" colours={old} />
              <Side row={right} side="now" colours={now} />
            </div>
          ))
        : rows.map((row, index) => <One key={index} row={row} old={old} now={now} />)}
      {hunk.rows.length > shown && (
        <button type="button" className="diff-fold" onClick={() => setShown(shown + 5 * HUNK_AT_ONCE)}>
          {t('moreLines')} ({number(hunk.rows.length - shown)})
        </button>
      )}
    </>
  )
}

const SIGNS = { same: ' ', removed: '−', added: '+' }

function One({ row, old, now }: { row: Row } & Colours) {
  const line = row.type === 'removed' ? old?.[row.old! - 1] : now?.[row.now! - 1]
  return (
    <div className={`code-line diff-${row.type}`}>
      <span className="code-number" data-number={row.old ?? ''} />
      <span className="code-number diff-second" data-number={row.now ?? ''} />
      <Text row={row} line={line} />
    </div>
  )
}

function Side({ row, side, colours }: { row: Row | null; side: 'old' | 'now'; colours: Line[] | null }) {
  if (!row) return <div className="code-line diff-nothing" />
  const at = row[side]
  return (
    <div className={`code-line diff-${row.type}`}>
      <span className="code-number" data-number={at ?? ''} />
      <Text row={row} line={at ? colours?.[at - 1] : undefined} />
    </div>
  )
}

function Text({ row, line }: { row: Row; line: Line | undefined }) {
  const { t } = useTranslation('files')
  return (
    <>
      <span className="diff-sign" aria-hidden>
        {SIGNS[row.type]}
      </span>
      {row.type !== 'same' && <span className="visually-hidden">{t(row.type)}: </span>}
      <span className="code-text">
        {line ? <Tokens line={line} /> : row.text.length > LINE_SHOWN ? `${row.text.slice(0, LINE_SHOWN)} …` : row.text}
      </span>
    </>
  )
}

/** Undefined while it is being compared, null when that takes too long. */
function useCompared(before: string, after: string): Compared | null | undefined {
  const small = before.length + after.length <= SMALL
  const atOnce = useMemo(() => (small ? compare(before, after) : undefined), [small, before, after])
  const [found, setFound] = useState<{ before: string; after: string; compared: Compared | null } | null>(null)
  useEffect(() => {
    if (small) return
    const worker = new Worker(new URL('./diff_worker.ts', import.meta.url), { type: 'module' })
    worker.onmessage = ({ data }: MessageEvent<Compared | null>) => setFound({ before, after, compared: data })
    worker.onerror = () => setFound({ before, after, compared: null })
    worker.postMessage({ before, after })
    return () => worker.terminate()
  }, [small, before, after])
  if (small) return atOnce
  return found && found.before === before && found.after === after ? found.compared : undefined
}
