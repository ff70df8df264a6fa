import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useDeferredValue, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useSearchParams } from 'wouter'
import { useServed } from '@/data/client'
import { Button } from '@/kit/button'
import { ScreenHead } from '@/kit/card'
import { Field } from '@/kit/field'
import { bytes, Moment } from '@/kit/figures'
import { Empty, Loading, ProblemLine, ProblemState } from '@/kit/states'
import { useSession } from '@/session/session'
import { DownloadButton } from '@/viewers/download_button'
import { FileName } from '@/viewers/file_name'
import { FileIcon } from './file_icon'
import { currentFilesQuery, GROUPS, taskTitlesQuery, type CurrentFile, type Group } from './rows'

/** The files of all tasks as they are now, the newest first. */
export function AllFiles() {
  const { t } = useTranslation(['files', 'common'])
  const { supabase } = useServed()
  const { session } = useSession()
  const [params, setParams] = useSearchParams()
  const words = params.get('q') ?? ''
  const kind = params.get('kind')
  const from = params.get('from')
  const group = kind && kind in GROUPS ? (kind as Group) : null
  const origin = from === 'given' || from === 'made' ? from : null
  // Typing asks when it rests, not at every letter.
  const search = { words: useDeferredValue(words).trim(), group, from: origin } as const
  const found = useInfiniteQuery(currentFilesQuery(supabase, session?.user.id, search))
  const files = useMemo(() => found.data?.pages.flat() ?? [], [found.data])
  const ids = useMemo(() => [...new Set(files.map((file) => file.task_id).filter((id) => id !== null))].sort(), [files])
  const { data: titles = {} } = useQuery(taskTitlesQuery(supabase, ids))
  const change = (name: string, value: string) =>
    setParams(
      (old) => {
        if (value) old.set(name, value)
        else old.delete(name)
        return old
      },
      { replace: true },
    )
  const filtered = !!(words || group || origin)
  return (
    <>
      <ScreenHead title={t('title')} />
      <search className="file-filters">
        <Field label={t('searchNames')} hideLabel>
          {(control) => (
            <input
              {...control}
              type="search"
              value={words}
              placeholder={t('searchNames')}
              onChange={(event) => change('q', event.target.value)}
            />
          )}
        </Field>
        <Field label={t('kind')} hideLabel>
          {(control) => (
            <select {...control} value={group ?? ''} onChange={(event) => change('kind', event.target.value)}>
              <option value="">{t('anyKind')}</option>
              {(Object.keys(GROUPS) as Group[]).map((name) => (
                <option key={name} value={name}>
                  {t(`groups.${name}`)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={t('origin')} hideLabel>
          {(control) => (
            <select {...control} value={origin ?? ''} onChange={(event) => change('from', event.target.value)}>
              <option value="">{t('anyOrigin')}</option>
              <option value="made">{t('madeByAgents')}</option>
              <option value="given">{t('givenByPeople')}</option>
            </select>
          )}
        </Field>
      </search>
      {found.isPending ? (
        <Loading />
      ) : found.isError && files.length === 0 ? (
        <ProblemState error={found.error} onRetry={() => void found.refetch()} />
      ) : files.length === 0 ? (
        filtered ? (
          <Empty title={t('nothingFound')}>
            <Button onClick={() => setParams({}, { replace: true })}>{t('clearFilters')}</Button>
          </Empty>
        ) : (
          <Empty title={t('noFiles')}>
            <p>{t('noFilesText')}</p>
          </Empty>
        )
      ) : (
        <>
          {found.isError && <ProblemLine error={found.error} />}
          <ul className="file-list" aria-label={t('title')} aria-busy={found.isFetching || undefined}>
            {files.map((file) => (
              <Line key={file.id} file={file} title={titles[file.task_id ?? ''] ?? ''} />
            ))}
          </ul>
          {found.hasNextPage && (
            <div className="file-more">
              <Button busy={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
                {t('common:more')}
              </Button>
            </div>
          )}
        </>
      )}
    </>
  )
}

function Line({ file, title }: { file: CurrentFile; title: string }) {
  const { t } = useTranslation('files')
  return (
    <li className="file-line">
      <FileIcon name={file.filename} mimeType={file.mime_type} />
      <div className="file-what">
        <Link href={`/tasks/${file.task_id}/files/${file.id}`} className="file-link">
          <FileName name={file.filename} />
        </Link>
        {file.task_id && (
          <Link href={`/tasks/${file.task_id}`} className="file-task">
            {title || t('task')}
          </Link>
        )}
      </div>
      <span className="file-facts">
        <span>{file.uploaded_by ? t('given') : t('made')}</span>
        <span>{bytes(file.file_size)}</span>
        {file.version > 1 && <span>{t('versionShort', { version: file.version })}</span>}
        <Moment at={file.created_at} />
      </span>
      <DownloadButton file={file} iconOnly />
    </li>
  )
}
