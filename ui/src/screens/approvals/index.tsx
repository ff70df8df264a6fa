import { ChevronLeft, ShieldCheck } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { Link, useParams } from 'wouter'
import { Button } from '@/kit/button'
import { ScreenHead } from '@/kit/card'
import { ExactWord } from '@/kit/exact_text'
import { Moment } from '@/kit/figures'
import { Empty, Loading, ProblemLine, ProblemState } from '@/kit/states'
import { StatusBadge } from '@/kit/status'
import { useAccess } from '@/session/session'
import { useTidyUp, useWaitingCalls, type ListedCall } from './calls'
import { Decide } from './decide'
import { Expiry, SecurityLevel } from './parts'
import './approvals.css'

/** What waits for this person, over all tasks: the calls on one side, the chosen one on the other. */
export default function Approvals() {
  const { t } = useTranslation('approvals')
  const { id } = useParams<{ id?: string }>()
  const { data: calls, error, refetch } = useWaitingCalls()
  const { data: access } = useAccess()
  const tidyUp = useTidyUp()

  if (!calls && !id) return error ? <ProblemState error={error} onRetry={() => void refetch()} /> : <Loading />
  const listed = calls ?? []
  const chosen = id ?? listed[0]?.id
  const waiting = listed.filter((call) => !call.gone).length
  return (
    <>
      <ScreenHead
        title={t('title')}
        actions={
          listed.length > waiting ? (
            <Button small onClick={tidyUp}>
              {t('tidy')}
            </Button>
          ) : undefined
        }
      >
        <p className="visually-hidden" role="status">
          {t('count', { count: waiting })}
        </p>
      </ScreenHead>
      {calls && <ProblemLine error={error} />}
      {!chosen ? (
        access && !access.can_write ? (
          <Empty title={t('viewer')} icon={ShieldCheck}>
            <p>{t('viewerText')}</p>
          </Empty>
        ) : (
          <Empty title={t('empty')} icon={ShieldCheck}>
            <p>{t('emptyText')}</p>
          </Empty>
        )
      ) : (
        <div className={`approvals ${id ? 'approvals-chosen' : ''} ${listed.length ? '' : 'approvals-alone'}`}>
          {listed.length > 0 && (
            <nav className="approvals-list" aria-label={t('list')}>
              <ul>
                {listed.map((call) => (
                  <li key={call.id}>
                    <CallLine call={call} chosen={call.id === chosen} />
                  </li>
                ))}
              </ul>
            </nav>
          )}
          <section className="approvals-one card">
            <Link href="/approvals" className="approvals-back">
              <ChevronLeft size={16} aria-hidden /> {t('allCalls')}
            </Link>
            <Decide key={chosen} execution={chosen} />
          </section>
        </div>
      )}
    </>
  )
}

function CallLine({ call, chosen }: { call: ListedCall; chosen: boolean }) {
  const { t } = useTranslation('approvals')
  return (
    <Link
      href={`/approvals/${call.id}`}
      className={`call-line ${call.gone ? 'call-gone' : ''}`}
      aria-current={chosen ? 'true' : undefined}
    >
      <span className="call-line-head">
        <strong>
          <ExactWord text={call.display_name} />
        </strong>
        <SecurityLevel level={call.security_level} />
      </span>
      <span className="call-line-task">
        <ExactWord text={call.task_title} />
      </span>
      <span className="call-line-foot">
        {call.gone ? (
          <strong>{t('decidedMeanwhile')}</strong>
        ) : call.status === 'in_doubt' ? (
          <StatusBadge status={call.status} />
        ) : (
          <Expiry at={call.approval_expires_at} />
        )}
        {call.asked_at && <Moment at={call.asked_at} />}
      </span>
    </Link>
  )
}
