import { useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'
import { number } from '@/kit/figures'
import { piecesOf } from '../ansi'
import { saveText } from './use_detail'

const AT_ONCE = 20_000

/** What a program wrote, as in a terminal. Of much a part is shown; the rest when it is asked for, or as a file. */
export function LongOutput({
  text,
  label,
  name,
  plain,
  shownAs,
}: {
  text: string
  label: string
  name: string
  plain?: boolean
  /** How a part of the text is shown, if neither plain nor as in a terminal. */
  shownAs?: (part: string) => ReactNode
}) {
  const { t } = useTranslation('task')
  const { t: c } = useTranslation()
  const [shown, setShown] = useState(AT_ONCE)
  const isCut = text.length > shown
  const part = isCut ? text.slice(0, shown) : text
  return (
    <>
      <pre className="output" tabIndex={0} role="region" aria-label={label}>
        {plain || shownAs
          ? (shownAs?.(part) ?? part)
          : piecesOf(part).map((piece, index) =>
              piece.colour === null && !piece.isBold ? (
                piece.text
              ) : (
                <span
                  key={index}
                  className={`${piece.colour === null ? '' : `ansi-${piece.colour % 8}`} ${piece.isBold ? 'ansi-bold' : ''}`}
                >
                  {piece.text}
                </span>
              ),
            )}
      </pre>
      {isCut && (
        <div className="output-more">
          <span>{t('workbench.shown', { shown: number(shown), all: number(text.length) })}</span>
          <Button small onClick={() => setShown(shown + 5 * AT_ONCE)}>
            {c('more')}
          </Button>
          <Button small onClick={() => saveText(text, name)}>
            {t('workbench.download')}
          </Button>
        </div>
      )}
    </>
  )
}
