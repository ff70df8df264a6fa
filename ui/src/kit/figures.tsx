import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { language } from '@/i18n'

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
]

export function relative(time: Date, now: Date): string {
  const seconds = Math.round((time.getTime() - now.getTime()) / 1000)
  const [unit, size] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? (['second', 1] as const)
  return new Intl.RelativeTimeFormat(language(), { numeric: 'auto' }).format(Math.trunc(seconds / size), unit)
}

export function absolute(time: Date): string {
  return new Intl.DateTimeFormat(language(), { dateStyle: 'medium', timeStyle: 'medium' }).format(time)
}

/** A moment, as "5 minutes ago" and with its date when pointed at. */
export function Moment({ at }: { at: string | null | undefined }) {
  const { t } = useTranslation()
  const now = useNow(15_000)
  if (!at) return <span>{t('time.never')}</span>
  const time = new Date(at)
  return (
    <time dateTime={time.toISOString()} title={absolute(time)}>
      {relative(time, now)}
    </time>
  )
}

/** The time now, renewed every so many milliseconds. */
export function useNow(every: number): Date {
  const [now, setNow] = useState(() => new Date())
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), every)
    return () => clearInterval(timer)
  }, [every])
  return now
}

export function bytes(size: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const
  const index = Math.min(units.length - 1, size < 1000 ? 0 : Math.floor(Math.log10(size) / 3))
  return new Intl.NumberFormat(language(), {
    style: 'unit',
    unit: units[index],
    unitDisplay: index ? 'short' : 'long',
    maximumFractionDigits: index ? 1 : 0,
  }).format(size / 1000 ** index)
}

export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(language(), { maximumFractionDigits: digits }).format(value)
}

/** Seconds as `12.3 s`, `4 min 5 s`, `2 h 3 min`. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${number(seconds, seconds < 10 ? 1 : 0)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}
