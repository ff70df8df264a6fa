import { Clock, ShieldAlert, ShieldCheck, ShieldHalf } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { useServerNow } from '@/data/clock'
import { Changes } from '@/kit/changes'
import { argumentsSchema } from '@/kit/schema'
import { SchemaView } from '@/kit/schema_view'
import { absolute, Moment } from '@/kit/figures'
import { Markdown } from '@/kit/markdown'
import { ExactText, ExactWord } from '@/kit/exact_text'
import { hiddenCount } from '@/kit/exact'
import { inexactNumber } from '@/kit/form_draft'
import { Banner } from '@/kit/states'
import { Badge } from '@/kit/status'
import type { Call, Decision } from './calls'

const LEVELS = {
  safe: [ShieldCheck, 'good'],
  moderate: [ShieldHalf, 'warn'],
  dangerous: [ShieldAlert, 'bad'],
} as const

/** How much harm a tool can do, by an icon and a word. */
export function SecurityLevel({ level }: { level: Call['security_level'] }) {
  const { t } = useTranslation('approvals')
  const [Icon, tone] = LEVELS[level] ?? LEVELS.dangerous
  return (
    <Badge tone={tone}>
      <Icon size={14} aria-hidden />
      <span className="visually-hidden">{t('security.label')}: </span>
      {level in LEVELS ? t(`security.${level}`) : level}
    </Badge>
  )
}

/** A span of time that gets shorter, in two units: "23 h 5 min". */
export function left(seconds: number): string {
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3_600) % 24,
    Math.floor(seconds / 60) % 60,
  ]
  if (days) return `${days} d ${hours} h`
  if (hours) return `${hours} h ${minutes} min`
  if (minutes >= 5) return `${minutes} min`
  return minutes ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.max(0, Math.floor(seconds))} s`
}

/** Until when a call can be decided. Seconds are counted at the very end alone, and are not read out. */
export function Expiry({ at }: { at: string | null }) {
  const { t } = useTranslation('approvals')
  const now = useServerNow(1_000)
  if (!at) return null
  const time = new Date(at)
  const seconds = (time.getTime() - now.getTime()) / 1000
  return (
    <span className={`expiry ${seconds < 3_600 ? 'expiry-soon' : ''}`} title={absolute(time)}>
      <Clock size={14} aria-hidden />
      {seconds <= 0 ? t('expired') : t('expires', { time: left(seconds) })}
    </span>
  )
}

/** What the agent said when it asked. Hidden characters in it are shown, below, since Markdown would let them work. */
export function Why({ text }: { text: string | null }) {
  const { t } = useTranslation('approvals')
  return (
    <section className="decide-part">
      <h3 className="decide-label">{t('why')}</h3>
      {text?.trim() ? (
        <blockquote className="decide-why">
          {hiddenCount(text) > 0 ? <ExactText text={text} label={t('why')} /> : <Markdown text={text} />}
        </blockquote>
      ) : (
        <p className="field-hint">{t('noWhy')}</p>
      )}
    </section>
  )
}

const MOST_NAMED = 10

/** What the task has read from outside, and where the call would go with it: why a person is asked at all. */
export function Reach({ call }: { call: Call }) {
  const { t } = useTranslation('approvals')
  const now = call.outward && call.tainted ? { destinations: [], sources: call.taint_sources } : null
  const reach = call.gate ?? now
  if (!reach) return null
  const sources = reach.sources.map((one) => one.source)
  return (
    <Banner tone="warn">
      <strong>{t('reach.title')}</strong>
      <Named label={t('reach.read')} texts={sources.length ? sources : [t('reach.something')]} />
      {reach.destinations.length > 0 && <Named label={t('reach.wants')} texts={reach.destinations} />}
    </Banner>
  )
}

function Named({ label, texts }: { label: string; texts: string[] }) {
  const { t } = useTranslation('approvals')
  return (
    <span className="decide-reach">
      {label}
      <ul>
        {texts.slice(0, MOST_NAMED).map((text) => (
          <li key={text}>
            <ExactWord text={text} />
          </li>
        ))}
        {texts.length > MOST_NAMED && <li>{t('reach.more', { count: texts.length - MOST_NAMED })}</li>}
      </ul>
    </span>
  )
}

/** Who decided already, and how many are needed. */
export function Decisions({ call }: { call: Call }) {
  const { t } = useTranslation('approvals')
  if (call.decisions.length === 0 && call.approvals_needed < 2) return null
  return (
    <div className="decide-part">
      {call.status === 'awaiting_approval' && call.approvals_needed > 0 && (
        <p className="decide-label">{t('given', { given: call.approvals_given, needed: call.approvals_needed })}</p>
      )}
      <ul className="decisions">
        {call.decisions.map((one) => (
          <DecisionLine key={one.id} decision={one} />
        ))}
      </ul>
    </div>
  )
}

function DecisionLine({ decision }: { decision: Decision }) {
  const { t } = useTranslation('approvals')
  const name = decision.is_me ? t('you') : (decision.name ?? t('somebody'))
  return (
    <li>
      <span>
        <ExactWord text={t(`said.${decision.verdict}`, { name })} /> · <Moment at={decision.created_at} />
        {decision.verdict === 'approved' && !decision.counts && ` · ${t('notOfThese')}`}
      </span>
      {decision.reason && <ExactText text={decision.reason} label={t('reason')} />}
    </li>
  )
}

/** What the arguments are, or were, and what the agent had asked for, where a person edited them. */
export function Arguments({ call }: { call: Call }) {
  const { t } = useTranslation('approvals')
  const label = call.status === 'awaiting_approval' ? t('arguments') : t('argumentsRan')
  const inexact = inexactNumber(call.arguments_text)
  return (
    <section className="decide-part">
      {inexact ? (
        <>
          <h3 className="decide-label">{label}</h3>
          <p className="field-error">{t('inexact', { number: inexact })}</p>
          <ExactText text={call.arguments_text} label={label} />
        </>
      ) : (
        <SchemaView
          schema={argumentsSchema(call.function_schema)}
          value={call.arguments}
          label={label}
          heading={<h3 className="decide-label">{label}</h3>}
        />
      )}
      {call.original_arguments && (
        <>
          <p className="field-hint">{t('edited')}</p>
          <Changes before={call.original_arguments} after={call.arguments} label={t('edited')} />
        </>
      )}
    </section>
  )
}
