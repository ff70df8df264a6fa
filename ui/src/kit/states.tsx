import { CloudOff, Inbox, Loader2, Lock, SearchX, TriangleAlert, type LucideIcon } from 'lucide-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { problemOf, type ProblemKind } from '@/data/problem'
import { Button } from './button'
import './states.css'

/** Something is being fetched. Shown in the shape of a quiet block, so that the page does not jump. */
export function Loading({ label }: { label?: string }) {
  const { t } = useTranslation()
  return (
    <div className="state" role="status">
      <Loader2 className="spin" size={22} aria-hidden />
      <p>{label ?? t('loading')}</p>
    </div>
  )
}

/** Nothing is there yet: says what would be, and how it comes about. */
export function Empty({
  title,
  children,
  icon: Icon = Inbox,
}: {
  title: string
  children?: ReactNode
  icon?: LucideIcon
}) {
  return (
    <div className="state">
      <Icon size={28} aria-hidden />
      <h2>{title}</h2>
      {children}
    </div>
  )
}

const ICONS: Record<ProblemKind, LucideIcon> = {
  offline: CloudOff,
  unavailable: CloudOff,
  denied: Lock,
  signedOut: Lock,
  notFound: SearchX,
  invalid: TriangleAlert,
  conflict: TriangleAlert,
  unknown: TriangleAlert,
}

/** What went wrong and what to do, in place of what could not be shown. */
export function ProblemState({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t } = useTranslation()
  const problem = problemOf(error)
  const Icon = ICONS[problem.kind]
  return (
    <div className="state" role="alert">
      <Icon size={28} aria-hidden />
      <h2>{t(`problem.${problem.kind}`)}</h2>
      <p>
        {problem.kind === 'invalid' || problem.kind === 'conflict' || problem.kind === 'unknown'
          ? problem.message
          : t(`problem.${problem.kind}Text`)}
      </p>
      {onRetry && <Button onClick={onRetry}>{t('retry')}</Button>}
    </div>
  )
}

/** The same in one line, beside what could be shown. */
export function ProblemLine({ error }: { error: unknown }) {
  const { t } = useTranslation()
  if (!error) return null
  const problem = problemOf(error)
  return (
    <p className="problem-line" role="alert">
      <TriangleAlert size={16} aria-hidden />
      <span>
        <strong>{t(`problem.${problem.kind}`)}.</strong> {problem.message}
      </span>
    </p>
  )
}

/** A notice over the width of a screen, with what to do about it. */
export function Banner({
  tone,
  children,
  action,
}: {
  tone: 'warn' | 'bad' | 'info'
  children: ReactNode
  action?: ReactNode
}) {
  return (
    <div className={`banner tone-${tone}`} role={tone === 'bad' ? 'alert' : 'status'}>
      <TriangleAlert size={18} aria-hidden />
      <div className="banner-text">{children}</div>
      {action}
    </div>
  )
}
