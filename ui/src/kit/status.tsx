import {
  Ban,
  CheckCircle2,
  CircleDashed,
  CircleHelp,
  CirclePause,
  Hourglass,
  LoaderCircle,
  ShieldQuestion,
  XCircle,
  type LucideIcon,
} from 'lucide-react'
import { useTranslation } from 'react-i18next'
import './status.css'

export type Status =
  | 'pending'
  | 'running'
  | 'waiting'
  | 'paused'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'awaiting_approval'
  | 'denied'
  | 'in_doubt'

const LOOKS: Record<Status, [LucideIcon, string]> = {
  pending: [CircleDashed, 'quiet'],
  running: [LoaderCircle, 'info'],
  waiting: [Hourglass, 'warn'],
  paused: [CirclePause, 'quiet'],
  completed: [CheckCircle2, 'good'],
  failed: [XCircle, 'bad'],
  cancelled: [Ban, 'quiet'],
  awaiting_approval: [ShieldQuestion, 'warn'],
  denied: [Ban, 'bad'],
  in_doubt: [CircleHelp, 'warn'],
}

/** The state of a task or a tool execution: an icon and a word, never a colour alone. */
export function StatusBadge({ status, iconOnly }: { status: string; iconOnly?: boolean }) {
  const { t } = useTranslation()
  const known = status in LOOKS ? (status as Status) : null
  const [Icon, tone] = known ? LOOKS[known] : [CircleHelp, 'quiet']
  const word = known ? t(`status.${known}`) : status
  return (
    <span className={`status tone-${tone}`} title={iconOnly ? word : undefined}>
      <Icon size={14} aria-hidden className={status === 'running' ? 'spin' : undefined} />
      <span className={iconOnly ? 'visually-hidden' : undefined}>{word}</span>
    </span>
  )
}

export function Badge({ tone = 'quiet', children }: { tone?: string; children: React.ReactNode }) {
  return <span className={`status tone-${tone}`}>{children}</span>
}
