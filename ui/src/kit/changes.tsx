import { diffLines } from 'diff'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { exactPieces } from './exact'
import { ExactLine } from './exact_text'
import { written } from './form_draft'
import type { Json } from './schema'
import './changes.css'

/** What differs between two values, line by line, with a sign as well as a colour. */
export function Changes({ before, after, label }: { before: Json; after: Json; label: string }) {
  const { t } = useTranslation('form')
  const lines = useMemo(() => linesOf(before, after), [before, after])
  return (
    <pre className="changes" tabIndex={0} role="group" aria-label={label}>
      {lines.map(({ sign, text, key }) => (
        <span key={key} className={`change-line change-${sign === '+' ? 'new' : sign === '-' ? 'old' : 'same'}`}>
          <span className="change-sign" aria-hidden>
            {sign}
          </span>
          {sign !== ' ' && <span className="visually-hidden">{t(sign === '+' ? 'added' : 'removed')} </span>}
          <span className="change-text">
            <ExactLine pieces={exactPieces(text)} />
          </span>
        </span>
      ))}
    </pre>
  )
}

function linesOf(before: Json, after: Json): { sign: '+' | '-' | ' '; text: string; key: string }[] {
  return (
    diffLines(`${written(before)}\n`, `${written(after)}\n`, { timeout: 500 })?.flatMap((part, index) =>
      part.value
        .replace(/\n$/, '')
        .split('\n')
        .map(
          (text, line) =>
            ({ sign: part.added ? '+' : part.removed ? '-' : ' ', text, key: `${index}.${line}` }) as const,
        ),
    ) ?? [
      // Too large to compare in time: then the whole.
      { sign: '-', text: written(before), key: 'before' },
      { sign: '+', text: written(after), key: 'after' },
    ]
  )
}
