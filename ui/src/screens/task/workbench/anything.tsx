import { useTranslation } from 'react-i18next'
import { JsonView } from '@/kit/json'
import { LongOutput } from './long_output'
import type { ViewProps } from './view'

/** Any tool's call: its arguments, what the model read, and what was recorded beside it. */
export default function Anything({ call, args, data, content }: ViewProps) {
  const { t } = useTranslation('task')
  const { effect, ...rest } = data ?? {}
  const recorded = effect === null || effect === undefined ? rest : { ...rest, effect }
  return (
    <>
      <section className="bench-part">
        <h4>{t('workbench.arguments')}</h4>
        <JsonView value={args} />
      </section>
      {content && (
        <section className="bench-part">
          <h4>{t('workbench.result')}</h4>
          <LongOutput text={content} label={t('workbench.result')} name={`${call.tool}-${call.id.slice(0, 8)}.txt`} />
        </section>
      )}
      {Object.keys(recorded).length > 0 && (
        <section className="bench-part">
          <h4>{t('workbench.data')}</h4>
          <JsonView value={recorded} />
        </section>
      )}
    </>
  )
}
