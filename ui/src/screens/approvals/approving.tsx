import { Ban, Check, Pencil, Undo2 } from 'lucide-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'
import { Changes } from '@/kit/changes'
import { Field } from '@/kit/field'
import { inexactNumber, toDraft, valueOf } from '@/kit/form_draft'
import { useFormProblem } from '@/kit/form_state'
import { useNotices } from '@/kit/notices'
import { same, type Schema } from '@/kit/schema'
import { SchemaForm } from '@/kit/schema_form'
import { Banner, ProblemLine } from '@/kit/states'
import { useAct, type Act, type Call } from './calls'
import { useDeliberate } from './deliberate'
import { useKept } from './kept'
import { Arguments, Decisions } from './parts'
import { StopTask } from './stop_task'

/** Approve a call, edit and approve it, or deny it. */
export function Approving({ call, schema }: { call: Call; schema: Schema }) {
  const { t } = useTranslation('approvals')
  const { tell } = useNotices()
  const [kept, keep, forget] = useKept(call.id)
  const [attempted, setAttempted] = useState(false)
  const [acting, setActing] = useState<Act['kind'] | null>(null)
  const seen = useSeen(call.input_digest)
  const act = useAct(call, (done, row) => {
    // What one edited oneself is no news.
    if (row.input_digest) seen.note(row.input_digest)
    if (done.kind !== 'stop') forget()
    const more = done.kind === 'approve' && call.approvals_given + 1 < call.approvals_needed
    tell(t(`done.${more ? 'approveMore' : done.kind}`, { tool: call.display_name }))
  })
  const problem = useFormProblem(schema, kept.edited)
  const [deliberately, question] = useDeliberate()
  const send = (what: Act) => {
    setActing(what.kind)
    act.mutate(what)
  }

  const edited = kept.edited && valueOf(kept.edited)
  const changed = !!edited && 'value' in edited && !same(edited.value, call.arguments)
  const stale = !!kept.edited && kept.digest !== call.input_digest
  const approve = () => {
    setAttempted(true)
    if (kept.edited && (problem || stale || !edited || !('value' in edited))) return
    send({ kind: 'approve', reason: kept.reason, arguments: changed ? edited.value : undefined })
  }
  const busy = (kind: Act['kind']) => act.isPending && acting === kind
  const blocked = call.approved_by_me && !changed
  return (
    <>
      {seen.changed && !kept.edited && (
        <Banner
          tone="warn"
          action={
            <Button small onClick={() => seen.note(call.input_digest)}>
              {t('looked')}
            </Button>
          }
        >
          <strong>{t('changedMeanwhile')}</strong>
        </Banner>
      )}
      {kept.edited ? (
        <section className="decide-part">
          {stale && (
            <Banner tone="warn">
              <strong>{t('changedUnderEdit')}</strong>
              <span className="decide-choices">
                <Button small onClick={() => keep({ edited: toDraft(call.arguments), digest: call.input_digest })}>
                  {t('takeNew')}
                </Button>
                <Button small onClick={() => keep({ digest: call.input_digest })}>
                  {t('keepMine')}
                </Button>
              </span>
            </Banner>
          )}
          <SchemaForm
            schema={schema}
            draft={kept.edited}
            onChange={(next) => keep({ edited: next })}
            label={t('arguments')}
            heading={<h3 className="decide-label">{t('arguments')}</h3>}
            attempted={attempted}
          />
          <h3 className="decide-label">{t('yourChanges')}</h3>
          {changed ? (
            <Changes before={call.arguments} after={edited.value} label={t('yourChanges')} />
          ) : (
            <p className="field-hint">{t('noChanges')}</p>
          )}
        </section>
      ) : (
        <Arguments call={call} />
      )}
      <Decisions call={call} />
      {call.approved_by_me && <p className="decide-note">{t('otherNeeded')}</p>}
      <Field label={t('reason')} hint={t('reasonHint')}>
        {(control) => (
          <textarea
            {...control}
            rows={2}
            value={kept.reason}
            onChange={(event) => keep({ reason: event.target.value })}
          />
        )}
      </Field>
      {attempted && problem && (
        <p className="field-error" role="alert">
          {problem}
        </p>
      )}
      <ProblemLine error={act.error} />
      <div className="decide-actions">
        {!blocked && (
          <Button
            look="primary"
            icon={<Check size={16} aria-hidden />}
            busy={busy('approve')}
            // Nobody approves by a click what came under the pointer a moment ago.
            disabled={kept.edited ? stale : seen.changed}
            onClick={deliberately(
              {
                title: t('approveQuestion', { tool: call.display_name }),
                text: t('approveText'),
                confirm: t(changed ? 'approveEdited' : 'approve'),
              },
              approve,
            )}
          >
            {t(changed ? 'approveEdited' : 'approve')}
          </Button>
        )}
        {kept.edited ? (
          <Button
            icon={<Undo2 size={16} aria-hidden />}
            onClick={() => {
              setAttempted(false)
              keep({ edited: null })
            }}
          >
            {t('discard')}
          </Button>
        ) : (
          <Button
            icon={<Pencil size={16} aria-hidden />}
            disabled={!!inexactNumber(call.arguments_text)}
            onClick={() => keep({ edited: toDraft(call.arguments), digest: call.input_digest })}
          >
            {t('edit')}
          </Button>
        )}
        <Button
          look="danger"
          icon={<Ban size={16} aria-hidden />}
          busy={busy('deny')}
          onClick={deliberately(
            {
              title: t('denyQuestion', { tool: call.display_name }),
              text: t('denyText'),
              confirm: t('deny'),
              danger: true,
            },
            () => send({ kind: 'deny', reason: kept.reason }),
          )}
        >
          {t('deny')}
        </Button>
        <StopTask call={call} busy={busy('stop')} onStop={() => send({ kind: 'stop' })} />
      </div>
      {question}
    </>
  )
}

/** Whether the arguments are others than those that the person has looked at. */
function useSeen(digest: string) {
  const [seen, setSeen] = useState<readonly string[]>([digest])
  return {
    changed: !seen.includes(digest),
    note: (looked: string) => setSeen((old) => [...old, looked]),
  }
}
