import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'
import { Field } from '@/kit/field'
import { useNotices } from '@/kit/notices'
import { Banner, ProblemLine } from '@/kit/states'
import { useAct, type Call } from './calls'
import { useDeliberate } from './deliberate'
import { useKept } from './kept'
import { Arguments, Decisions } from './parts'
import { StopTask } from './stop_task'

/** Say of a call in doubt whether it took effect. */
export function Settling({ call }: { call: Call }) {
  const { t } = useTranslation('approvals')
  const { tell } = useNotices()
  const [kept, keep, forget] = useKept(call.id)
  const [acting, setActing] = useState('')
  const act = useAct(call, (done) => {
    if (done.kind === 'settle') forget()
    tell(t(`done.${done.kind}`, { tool: call.display_name }))
  })
  const [deliberately, question] = useDeliberate()
  const settle = (happened: boolean) => {
    setActing(`${happened}`)
    act.mutate({ kind: 'settle', happened, result: kept.result })
  }
  return (
    <>
      <Banner tone="warn">{t('doubt')}</Banner>
      <Arguments call={call} />
      <Decisions call={call} />
      <Field label={t('result')} hint={t('resultHint')}>
        {(control) => (
          <textarea
            {...control}
            rows={3}
            value={kept.result}
            onChange={(event) => keep({ result: event.target.value })}
          />
        )}
      </Field>
      <ProblemLine error={act.error} />
      <div className="decide-actions">
        {([true, false] as const).map((happened) => (
          <Button
            key={`${happened}`}
            busy={act.isPending && acting === `${happened}`}
            onClick={deliberately(
              {
                title: t(happened ? 'happenedQuestion' : 'didNotHappenQuestion', { tool: call.display_name }),
                text: t('settleText'),
                confirm: t(happened ? 'happened' : 'didNotHappen'),
              },
              () => settle(happened),
            )}
          >
            {t(happened ? 'happened' : 'didNotHappen')}
          </Button>
        ))}
        <StopTask
          call={call}
          busy={act.isPending && acting === 'stop'}
          onStop={() => {
            setActing('stop')
            act.mutate({ kind: 'stop' })
          }}
        />
      </div>
      {question}
    </>
  )
}
