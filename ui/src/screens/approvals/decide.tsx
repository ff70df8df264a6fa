import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import { ExactText, ExactWord } from '@/kit/exact_text'
import { Moment } from '@/kit/figures'
import { argumentsSchema } from '@/kit/schema'
import { Banner, Loading, ProblemState } from '@/kit/states'
import { StatusBadge } from '@/kit/status'
import { Approving } from './approving'
import { OPEN, useCall, type Call } from './calls'
import { useKept } from './kept'
import { Arguments, Decisions, Expiry, Reach, SecurityLevel, Why } from './parts'
import { Settling } from './settling'
import './decide.css'

/**
 * One tool call and what a person can say about it: approve, edit and approve, deny, settle a doubt, stop the task. It follows the
 * call, and when somebody else was faster it says who. `compact` where the task is on the screen already.
 */
export function Decide({ execution, compact }: { execution: string; compact?: boolean }) {
  const { data: call, error, refetch } = useCall(execution)
  if (error && !call) return <ProblemState error={error} onRetry={() => void refetch()} />
  if (!call) return <Loading />
  return <DecideCall key={execution} call={call} compact={compact} />
}

function DecideCall({ call, compact }: { call: Call; compact: boolean | undefined }) {
  const { t } = useTranslation('approvals')
  const schema = argumentsSchema(call.function_schema)
  const open = OPEN.includes(call.status)
  return (
    <article
      className={`decide ${compact ? 'decide-compact' : ''}`}
      aria-label={`${call.display_name}: ${t('arguments')}`}
    >
      <header className="decide-head">
        <div className="decide-title">
          <h2>
            <ExactWord text={call.display_name} />
          </h2>
          <code>{call.tool_name}</code>
        </div>
        <div className="decide-marks">
          <StatusBadge status={call.status} />
          <SecurityLevel level={call.security_level} />
          {call.status === 'awaiting_approval' && <Expiry at={call.approval_expires_at} />}
        </div>
        {!compact && <About call={call} />}
      </header>
      <Outcome call={call} />
      <Reach call={call} />
      {!compact && <Why text={call.why} />}
      {open && call.waits_for_me ? (
        call.status === 'awaiting_approval' ? (
          <Approving call={call} schema={schema} />
        ) : (
          <Settling call={call} />
        )
      ) : (
        <>
          <Arguments call={call} />
          <Decisions call={call} />
          <NotSent id={call.id} />
        </>
      )}
    </article>
  )
}

/** Where the call comes from. */
function About({ call }: { call: Call }) {
  const { t } = useTranslation('approvals')
  return (
    <p className="decide-about">
      <Link href={`/tasks/${call.task_id}`} className="decide-task">
        <ExactWord text={call.task_title} />
      </Link>
      <span>{t('step', { step: call.step })}</span>
      {call.agent_name && (
        <span>
          {t('agent')} <ExactWord text={call.agent_name} />
        </span>
      )}
      {!call.is_mine && call.owner_name && (
        <span>
          {t('owner')} <ExactWord text={call.owner_name} />
        </span>
      )}
      {call.asked_at && (
        <span>
          {t('asked')} <Moment at={call.asked_at} />
        </span>
      )}
    </p>
  )
}

const OUTCOMES = ['pending', 'running', 'completed', 'failed', 'denied', 'cancelled'] as const

/** That a call waits no more, said when that comes about under the reader, too. */
function Outcome({ call }: { call: Call }) {
  const { t } = useTranslation('approvals')
  if (call.waits_for_me) return null
  const outcome = OUTCOMES.find((one) => one === call.status) ?? 'other'
  return (
    <Banner tone="info">
      <strong>{t(`outcome.${outcome}`)}</strong>
      {outcome === 'other' && <span>{t('notYours')}</span>}
      {call.error_message && !call.decisions.some((one) => one.verdict === 'denied') && (
        <span>
          <ExactWord text={call.error_message} />
        </span>
      )}
    </Banner>
  )
}

/** What the person had typed when somebody else was faster. */
function NotSent({ id }: { id: string }) {
  const { t } = useTranslation('approvals')
  const [kept] = useKept(id)
  const typed = [
    kept.reason,
    kept.result,
    kept.edited && JSON.stringify(kept.edited.mode === 'json' ? kept.edited.text : kept.edited.value, null, 2),
  ]
    .filter(Boolean)
    .join('\n\n')
  if (!typed) return null
  return (
    <section className="decide-part">
      <h3 className="decide-label">{t('typed')}</h3>
      <ExactText text={typed} label={t('typed')} />
    </section>
  )
}
