import { EyeOff } from 'lucide-react'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { exactPieces } from './exact'
import { CopyButton } from './copy'
import './exact_text.css'

/** A text that somebody is about to allow: whole, with its line breaks, and with hidden characters spelled out. */
export function ExactText({ text, label }: { text: string; label?: string }) {
  const { t } = useTranslation('form')
  const pieces = useMemo(() => exactPieces(text), [text])
  const hidden = pieces.filter((piece) => piece.hidden).length
  return (
    <div className="exact">
      {hidden > 0 && (
        <p className="exact-warning">
          <EyeOff size={14} aria-hidden /> {t('hiddenCharacters', { count: hidden })}
        </p>
      )}
      <div className="exact-frame">
        <pre className="exact-text" tabIndex={0} role="group" aria-label={label}>
          <ExactLine pieces={pieces} />
          {text === '' && <span className="exact-empty">{t('emptyText')}</span>}
        </pre>
        {text.length > 40 && <CopyButton text={text} />}
      </div>
    </div>
  )
}

export function ExactLine({ pieces }: { pieces: ReturnType<typeof exactPieces> }) {
  return pieces.map((piece, index) =>
    piece.hidden ? (
      // oxlint-disable-next-line react/no-array-index-key -- pieces have no name but their place
      <mark key={index} className="exact-hidden" title={piece.hidden}>
        {piece.text}
      </mark>
    ) : (
      piece.text
    ),
  )
}

/** A name or a short text of an agent's in one line, hidden characters spelled out. */
export function ExactWord({ text }: { text: string }) {
  const pieces = useMemo(() => exactPieces(text), [text])
  return (
    <bdi className="exact-word">
      <ExactLine pieces={pieces} />
    </bdi>
  )
}
