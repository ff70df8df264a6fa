import { useTranslation } from 'react-i18next'
import { useNow } from '@/kit/figures'
import { Field } from '@/kit/field'
import { badLimits, LIMITS, type TaskDraft } from './draft'

const PRIORITIES = [1, 2, 3, 4, 5] as const

/** Title, priority, when, and how far the task may go. */
export function Options({ draft, onChange }: { draft: TaskDraft; onChange: (changed: Partial<TaskDraft>) => void }) {
  const { t } = useTranslation('tasks')
  const bad = badLimits(draft)
  const now = useNow(30_000)
  const isPast = !!draft.runAt && new Date(draft.runAt).getTime() < now.getTime()
  return (
    <div className="options">
      <div className="options-row">
        <Field label={t('new.taskTitle')} hint={t('new.taskTitleHint')}>
          {(control) => (
            <input
              {...control}
              maxLength={255}
              value={draft.title}
              onChange={(event) => onChange({ title: event.target.value })}
            />
          )}
        </Field>
        <Field label={t('new.priority')}>
          {(control) => (
            <select
              {...control}
              value={draft.priority}
              onChange={(event) => onChange({ priority: Number(event.target.value) })}
            >
              {PRIORITIES.map((priority) => (
                <option key={priority} value={priority}>
                  {t(`new.priorities.${priority}`)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={t('new.runAt')} hint={t(isPast ? 'new.runAtPast' : 'new.runAtHint')}>
          {(control) => (
            <input
              {...control}
              type="datetime-local"
              value={draft.runAt}
              onChange={(event) => onChange({ runAt: event.target.value })}
            />
          )}
        </Field>
      </div>
      <fieldset className="options-limits">
        <legend>{t('new.limits')}</legend>
        <p className="field-hint">{t('new.limitsHint')}</p>
        <div className="options-grid">
          {LIMITS.map((name) => (
            <Field key={name} label={t(`new.limit.${name}`)} error={bad.includes(name) ? t('new.badLimit') : undefined}>
              {(control) => (
                <input
                  {...control}
                  inputMode="numeric"
                  value={draft.limits[name] ?? ''}
                  onChange={(event) => onChange({ limits: { ...draft.limits, [name]: event.target.value } })}
                />
              )}
            </Field>
          ))}
        </div>
      </fieldset>
    </div>
  )
}
