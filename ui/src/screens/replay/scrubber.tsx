import { memo, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { absolute, number } from '@/kit/figures'
import type { Tape } from './tape'
import { placeOf, stopAt, type Track } from './track'

/** Positions on the scrubber are told apart to a thousandth of its length. */
const PARTS = 1_000

/** The run as a line, to be moved along, with marks for steps, errors and waits. */
export function Scrubber({
  tape,
  track,
  index,
  onSeek,
}: {
  tape: Tape
  track: Track
  index: number
  onSeek: (index: number) => void
}) {
  const { t } = useTranslation('replay')
  const place = placeOf(track, index)
  const step = tape.steps[index] ?? 0
  return (
    <div className="scrubber">
      <Marks tape={tape} track={track} />
      <input
        type="range"
        className="scrubber-range"
        aria-label={t('moment')}
        aria-valuetext={t('momentText', {
          step: number(step),
          time: absolute(new Date(tape.events[index]!.created_at)),
        })}
        min={0}
        max={Math.max(1, track.length)}
        step="any"
        value={track.positions[place] ?? 0}
        onChange={(event) => onSeek(track.indexes[stopAt(track, Number(event.target.value))] ?? 0)}
      />
      <ul className="scrubber-legend">
        <li>
          <svg viewBox="0 0 12 12" aria-hidden className="mark-step">
            <path d="M6 2V10" />
          </svg>
          {t('marks.step')}
        </li>
        <li>
          <svg viewBox="0 0 12 12" aria-hidden className="mark-error">
            <path d="M6 2L11 10H1Z" />
          </svg>
          {t('marks.error', { count: tape.errors.length, number: number(tape.errors.length) })}
        </li>
        <li>
          <svg viewBox="0 0 12 12" aria-hidden className="mark-wait">
            <rect x="0" y="4" width="12" height="4" />
          </svg>
          {t('marks.wait', { count: tape.waits.length, number: number(tape.waits.length) })}
        </li>
      </ul>
    </div>
  )
}

/** Marks that fall on the same spot are drawn once: of 10,000 events a few hundred are left. */
const Marks = memo(function Marks({ tape, track }: { tape: Tape; track: Track }) {
  const { ticks, errors, waits } = useMemo(() => {
    const spot = (index: number) =>
      Math.round((PARTS * (track.positions[placeOf(track, index)] ?? 0)) / Math.max(1, track.length))
    return {
      ticks: [...new Set(tape.stops.map(spot))],
      errors: [...new Set(tape.errors.map(spot))],
      waits: tape.waits.map(([from, to]) => [spot(from), spot(to)] as const).slice(0, PARTS),
    }
  }, [tape, track])
  return (
    <svg className="scrubber-marks" viewBox={`0 0 ${PARTS} 20`} preserveAspectRatio="none" aria-hidden>
      {waits.map(([from, to], at) => (
        <rect key={at} className="mark-wait" x={from} y={12} width={Math.max(3, to - from)} height={4} />
      ))}
      <path className="mark-step" d={ticks.map((at) => `M${at} 10V18`).join('')} />
      {errors.map((at) => (
        <path key={at} className="mark-error" d={`M${at} 1L${at + 5} 9H${at - 5}Z`} />
      ))}
    </svg>
  )
})
