import { lazy } from 'react'
import { useTranslation } from 'react-i18next'
import { languageOf } from '@/viewers/languages'
import { LongOutput } from './long_output'
import { listOf, textOf, type ViewProps } from './view'

const TextDiff = lazy(() => import('@/viewers/diff'))

const COMPARED = 500_000

const SHOWN = 50

/** What each edit takes out of a file and what it puts there. */
export default function FileChange({ call, args, content }: ViewProps) {
  const { t } = useTranslation('task')
  // Calls of earlier releases hold the one edit by itself.
  const edits = 'edits' in args ? listOf(args.edits) : [args]
  const shown = edits
    .slice(0, SHOWN)
    .filter((edit): edit is Record<string, unknown> => !!edit && typeof edit === 'object')
  const words = (content ?? '').split('\n')
  // Below its first line stands the difference, which is shown already; a refusal is words all through.
  const said = call.status === 'completed' ? words[0] : words.join('\n')
  return (
    <>
      {shown.map((edit, index) => (
        <section key={index} className="bench-part">
          <h4>
            {edits.length > 1
              ? t('workbench.changeOf', { number: index + 1, count: edits.length })
              : t('workbench.change')}
          </h4>
          <Change edit={edit} path={textOf(args.path)} name={`${call.tool}.txt`} />
        </section>
      ))}
      {said && <p className="bench-quiet bench-said">{said.slice(0, 4_000)}</p>}
    </>
  )
}

function Change({ edit, path, name }: { edit: Record<string, unknown>; path: string; name: string }) {
  const { t } = useTranslation('task')
  const before = textOf(edit.old)
  const after = textOf(edit.new)
  if (before.length + after.length > COMPARED)
    return <LongOutput text={after} label={t('workbench.change')} name={name} plain />
  return <TextDiff before={before} after={after} language={languageOf(path) ?? undefined} />
}
