import { WrapText } from 'lucide-react'
import { memo, useMemo, useState, type CSSProperties, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'
import { number } from '@/kit/figures'
import { useHighlight } from './highlight'
import type { Line } from './tokens'
import './text_view.css'

/** Lines that are put on the page at once, and the letters of a line that are. */
const AT_ONCE = 2_000
const BLOCK = 250
const LINE_SHOWN = 4_000
// Signs by which code can be made to read otherwise than it runs.
const TURNING = /[\u202A-\u202E\u2066-\u2069]/

/** A text with line numbers and the colours of its language. Long ones come in parts, each line cut where no person reads on. */
export default function TextView({ text, language, label }: { text: string; language: string | null; label: string }) {
  const { t } = useTranslation('files')
  const lines = useMemo(() => split(text), [text])
  const coloured = useHighlight(text, language)
  const [shown, setShown] = useState(AT_ONCE)
  const [wrap, setWrap] = useState(language === null)
  const blocks = Math.ceil(Math.min(shown, lines.length) / BLOCK)
  return (
    <div className="text-view">
      <div className="viewer-line">
        <span>{t('lines', { count: lines.length, number: number(lines.length) })}</span>
        <Button
          small
          look="ghost"
          icon={<WrapText size={16} aria-hidden />}
          aria-pressed={wrap}
          onClick={() => setWrap(!wrap)}
        >
          {t('wrap')}
        </Button>
      </div>
      {TURNING.test(text) && <p className="viewer-note">{t('turned')}</p>}
      <div className={`code-frame ${wrap ? 'code-wrap' : ''}`} tabIndex={0} role="region" aria-label={label}>
        <div className="code" style={{ '--digits': String(lines.length).length } as CSSProperties}>
          {Array.from({ length: blocks }, (_, block) => (
            <Block
              key={block}
              first={block * BLOCK}
              last={Math.min((block + 1) * BLOCK, shown, lines.length)}
              lines={lines}
              coloured={coloured}
            />
          ))}
        </div>
      </div>
      {lines.length > shown && (
        <div className="viewer-more">
          <span>{t('linesShown', { shown: number(shown), all: number(lines.length) })}</span>
          <Button small onClick={() => setShown(shown + 5 * AT_ONCE)}>
            {t('moreLines')}
          </Button>
        </div>
      )}
    </div>
  )
}

const Block = memo(function Block({
  first,
  last,
  lines,
  coloured,
}: {
  first: number
  last: number
  lines: string[]
  coloured: Line[] | null
}) {
  const rows: ReactNode[] = []
  for (let index = first; index < last; index++) {
    const tokens = coloured?.[index]
    rows.push(
      <div key={index} className="code-line">
        <span className="code-number" data-number={index + 1} />
        <span className="code-text">{tokens ? <Tokens line={tokens} /> : cut(lines[index]!)}</span>
      </div>,
    )
  }
  return <div className="code-block">{rows}</div>
})

/** A highlighted line. */
export function Tokens({ line }: { line: Line }) {
  return line.map(([scope, text], index) =>
    scope ? (
      <span key={index} className={`hl-${scope}`}>
        {text}
      </span>
    ) : (
      text
    ),
  )
}

function split(text: string): string[] {
  const lines = text.split('\n')
  if (lines.length > 1 && lines[lines.length - 1] === '') lines.pop()
  return lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
}

function cut(line: string): ReactNode {
  if (line.length <= LINE_SHOWN) return line
  return (
    <>
      {line.slice(0, LINE_SHOWN)}
      <span className="code-cut"> … {number(line.length - LINE_SHOWN)}</span>
    </>
  )
}
