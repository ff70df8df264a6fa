import { Check, Circle, CircleDot } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { Progress } from '@/kit/progress'
import { ENDED, type Timeline } from '@/live/fold'

/** The plan with its phases: done, current, to come. */
export function Plan({ timeline, whole }: { timeline: Timeline; whole?: boolean }) {
  const { t } = useTranslation('task')
  const { plan, currentPhase, progress, status } = timeline
  if (!plan.length) return whole ? <p className="composer-note">{t('plan.none')}</p> : null
  const done = status === 'completed' ? plan.length : Math.min(plan.length, Math.round((progress * plan.length) / 100))
  return (
    <section className={`plan ${whole ? 'plan-whole' : ''}`} aria-label={t('plan.label')}>
      <div className="plan-head">
        <h2>{t('plan.label')}</h2>
        <span className="plan-figure">
          {t('plan.phase', { phase: Math.min(currentPhase, plan.length), total: plan.length })} · {progress} %
        </span>
      </div>
      <Progress value={progress} label={t('plan.progress')} />
      <ol className="phases">
        {plan.map((title, index) => {
          const state =
            index < Math.max(done, currentPhase - 1)
              ? 'done'
              : index === currentPhase - 1 && !ENDED.has(status)
                ? 'current'
                : 'toCome'
          const Icon = state === 'done' ? Check : state === 'current' ? CircleDot : Circle
          return (
            <li key={index} className={`phase phase-${state}`} aria-current={state === 'current' ? 'step' : undefined}>
              <Icon size={14} aria-hidden />
              <span className="visually-hidden">{t(`plan.${state}`)}: </span>
              <span>{title}</span>
            </li>
          )
        })}
      </ol>
    </section>
  )
}
