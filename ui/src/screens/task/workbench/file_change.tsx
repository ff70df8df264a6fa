import { lazy } from 'react'
import { useTranslation } from 'react-i18next'
import { languageOf } from '@/viewers/languages'
import { LongOutput } from './long_output'
import { textOf, type ViewProps } from './view'

const TextDiff = lazy(() => import('@/viewers/diff'))

const COMPARED = 500_000

/** What an edit takes out of a file and what it puts there. */
export default function FileChange({ call, args, content }: ViewProps) {
  const { t } = useTranslation('task')
  const before = textOf(args.old)
  const after = textOf(args.new)
  return (
    <>
      <section className="bench-part">
        <h4>{t('workbench.change')}</h4>
        {before.length + after.length > COMPARED ? (
          <LongOutput text={after} label={t('workbench.change')} name={`${call.tool}.txt`} plain />
        ) : (
          <TextDiff before={before} after={after} language={languageOf(textOf(args.path)) ?? undefined} />
        )}
      </section>
      {content && <p className="bench-quiet">{content.slice(0, 1_000)}</p>}
    </>
  )
}
