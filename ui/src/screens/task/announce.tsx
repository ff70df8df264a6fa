import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import type { Timeline } from '@/live/fold'
import { CONTROL, verbOf } from './words'

/** Says to screen readers what happens, step by step: no tokens, and nothing of what was there before. */
export function Announce({ timeline, isComplete }: { timeline: Timeline; isComplete: boolean }) {
  const { t } = useTranslation('task')
  const { t: c } = useTranslation()
  const region = useRef<HTMLDivElement>(null)
  const heard = useRef<number | null>(null)
  useEffect(() => {
    if (!isComplete) return
    const after = heard.current
    heard.current = timeline.lastEvent
    if (after === null) return
    const words = (status: string) => c(`status.${status as 'running'}`, { defaultValue: status })
    const texts: string[] = []
    for (let index = timeline.entries.length - 1; index >= 0; index -= 1) {
      const entry = timeline.entries[index]!
      if (entry.event <= after) break
      if (entry.type === 'status') texts.unshift(t('said.status', { status: words(entry.status) }))
      if (entry.type === 'plan' && entry.title)
        texts.unshift(t('said.phase', { phase: entry.phase, total: timeline.plan.length, title: entry.title }))
      if (entry.type === 'notice') texts.unshift(entry.text.slice(0, 300))
    }
    const last = Object.values(timeline.calls).findLast((call) => call.lastEvent > after && !CONTROL.has(call.tool))
    if (last) texts.push(t('said.call', { what: verbOf(t, last), status: words(last.status) }))
    if (texts.length && region.current) region.current.textContent = texts.slice(-3).join('. ')
  }, [timeline, isComplete, t, c])
  return <div ref={region} className="visually-hidden" role="status" aria-live="polite" />
}
