import { lazy, Suspense, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'wouter'
import { Field } from '@/kit/field'
import { absolute, bytes } from '@/kit/figures'
import { Loading, ProblemState } from '@/kit/states'
import { SIDE_AT_MOST } from '@/viewers/diff_rows'
import FileView from '@/viewers/file_view'
import { kindByBytes, kindByName, textOf } from '@/viewers/kinds'
import { languageOf } from '@/viewers/languages'
import { useBytes } from '@/viewers/use_bytes'
import type { FileVersion } from './rows'

const TextDiff = lazy(() => import('@/viewers/diff'))

/** What became of a file between any other of its versions and this one. */
export function VersionDiff({ versions, now }: { versions: FileVersion[]; now: FileVersion }) {
  const { t } = useTranslation('files')
  const [params, setParams] = useSearchParams()
  const others = versions.filter((one) => one.id !== now.id)
  const before =
    others.find((one) => one.id === params.get('from')) ?? others.find((one) => one.version < now.version) ?? others[0]!
  return (
    <div className="viewer">
      <Field label={t('comparedWith')}>
        {(control) => (
          <select
            {...control}
            value={before.id}
            onChange={(event) =>
              setParams(
                (old) => {
                  old.set('from', event.target.value)
                  return old
                },
                { replace: true },
              )
            }
          >
            {others.map((one) => (
              <option key={one.id} value={one.id}>
                {t('versionLine', { version: one.version, time: absolute(new Date(one.created_at)) })} ·{' '}
                {bytes(one.file_size)}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Differences key={`${before.id} ${now.id}`} before={before} now={now} />
    </div>
  )
}

function Differences({ before, now }: { before: FileVersion; now: FileVersion }) {
  const { t } = useTranslation('files')
  const kind = kindByName(now.filename, now.mime_type)
  if (before.file_hash && before.file_hash === now.file_hash) return <p className="viewer-note">{t('sameBytes')}</p>
  if (kind === 'image' || kind === 'pdf')
    return (
      <div className="versions-beside">
        {[before, now].map((one) => (
          <figure key={one.id}>
            <figcaption>{t('versionTitle', { version: one.version })}</figcaption>
            <FileView file={one} />
          </figure>
        ))}
      </div>
    )
  if (before.file_size > 2 * SIDE_AT_MOST || now.file_size > 2 * SIDE_AT_MOST)
    return <p className="viewer-note">{t('diffTooLarge')}</p>
  return <Texts before={before} now={now} />
}

function Texts({ before, now }: { before: FileVersion; now: FileVersion }) {
  const { t } = useTranslation('files')
  const old = useText(before)
  const fresh = useText(now)
  const problem = [old, fresh].find((one) => one.state === 'problem')
  if (problem?.state === 'problem') return <ProblemState error={problem.error} onRetry={problem.again} />
  if (old.state !== 'ready' || fresh.state !== 'ready') return <Loading />
  if (old.text === null || fresh.text === null) return <p className="viewer-note">{t('binaryDiffers')}</p>
  return (
    <Suspense fallback={<Loading />}>
      {(old.differs || fresh.differs) && <p className="viewer-note">{t('differsText')}</p>}
      <TextDiff before={old.text} after={fresh.text} language={languageOf(now.filename) ?? undefined} />
    </Suspense>
  )
}

type Text =
  | { state: 'loading' }
  | { state: 'problem'; error: unknown; again: () => void }
  /** Null text: these bytes are no text. */
  | { state: 'ready'; text: string | null; differs: boolean }

function useText(file: FileVersion): Text {
  const { bytes: fetched, again } = useBytes(file, true)
  const [text, setText] = useState<{ blob: Blob; text: string | null } | null>(null)
  const blob = fetched.state === 'ready' ? fetched.fetched.blob : null
  useEffect(() => {
    if (!blob) return
    let over = false
    void blob.arrayBuffer().then((buffer) => {
      const content = new Uint8Array(buffer)
      const kind = kindByBytes(kindByName(file.filename, file.mime_type), content.subarray(0, 8_192))
      if (!over) setText({ blob, text: kind === 'binary' ? null : textOf(content) })
    })
    return () => {
      over = true
    }
  }, [blob, file.filename, file.mime_type])
  if (fetched.state === 'problem') return { state: 'problem', error: fetched.error, again }
  if (fetched.state !== 'ready' || text?.blob !== blob) return { state: 'loading' }
  return { state: 'ready', text: text.text, differs: fetched.fetched.genuine === 'no' }
}
