import { Brain, ChevronRight } from 'lucide-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Markdown } from '@/kit/markdown'

const SHORT = 3_000

/** Markdown of which a part is shown until the rest is asked for. */
export function LongMarkdown({ text, short = SHORT }: { text: string; short?: number }) {
  const { t } = useTranslation('task')
  const [whole, setWhole] = useState(false)
  const isLong = text.length > short * 1.2
  return (
    <div className="long-text">
      <Markdown text={isLong && !whole ? `${text.slice(0, cutAt(text, short))}\n\n…` : text} />
      {isLong && (
        <button type="button" className="text-button" aria-expanded={whole} onClick={() => setWhole(!whole)}>
          {t(whole ? 'timeline.lessText' : 'timeline.moreText')}
        </button>
      )}
    </div>
  )
}

/** The end of a line or a word near there. */
function cutAt(text: string, most: number): number {
  const line = text.lastIndexOf('\n', most)
  if (line > most / 2) return line
  const word = text.lastIndexOf(' ', most)
  return word > most / 2 ? word : most
}

/** What the model thought, closed until one wants it. */
export function Thinking({ text, open: first = false }: { text: string; open?: boolean }) {
  const { t } = useTranslation('task')
  const [open, setOpen] = useState(first)
  return (
    <div className="thinking">
      <button type="button" className="text-button thinking-toggle" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Brain size={14} aria-hidden /> {t('timeline.thinking')}
        <ChevronRight size={14} aria-hidden className={open ? 'turned' : ''} />
      </button>
      {open && <p className="thinking-text">{text.length > 20_000 ? `…${text.slice(-20_000)}` : text}</p>}
    </div>
  )
}
