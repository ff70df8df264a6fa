import { ArrowLeft } from 'lucide-react'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { Link, useLocation, useSearchParams } from 'wouter'
import { useServed } from '@/data/client'
import { CopyButton } from '@/kit/copy'
import { Field } from '@/kit/field'
import { absolute, bytes, Moment } from '@/kit/figures'
import { Badge } from '@/kit/status'
import { Tabs } from '@/kit/tabs'
import { DownloadButton } from '@/viewers/download_button'
import { FileName } from '@/viewers/file_name'
import FileView from '@/viewers/file_view'
import type { Path } from './grouped'
import { executionQuery, type FileVersion } from './rows'
import { VersionDiff } from './version_diff'

/** One version of a file: what it is and who wrote it, its content, and how its versions differ. */
export function FilePane({ taskId, path, version }: { taskId: string; path: Path; version: FileVersion }) {
  const { t } = useTranslation(['files', 'common'])
  const [, go] = useLocation()
  const [params, setParams] = useSearchParams()
  const withBytes = path.versions.filter((one) => one.kind === 'file')
  const canCompare = withBytes.length > 1
  const tab = params.get('tab') === 'changes' && canCompare ? 'changes' : 'content'
  const content = version.kind === 'file' ? <FileView file={version} /> : <NoBytes version={version} />
  return (
    <section className="file-pane" aria-label={t('openFile')}>
      <Link href={`/tasks/${taskId}/files`} className="back-link files-back">
        <ArrowLeft size={16} aria-hidden />
        {t('allOfTask')}
      </Link>
      <div className="pane-head">
        <h2>
          <FileName name={path.filename} />
        </h2>
        <div className="pane-actions">
          <CopyButton text={window.location.href} label={t('copyLink')} />
          {version.kind === 'file' && <DownloadButton file={version} />}
        </div>
      </div>
      <div className="pane-facts">
        {path.isRemoved && <Badge tone="warn">{t('isRemoved')}</Badge>}
        {version.is_temporary && (
          <Badge tone="warn">
            {version.expires_at ? t('expires', { time: absolute(new Date(version.expires_at)) }) : t('temporary')}
          </Badge>
        )}
        {version.id !== path.newest.id && !path.isRemoved && <Badge>{t('olderVersion')}</Badge>}
        {version.kind === 'file' && <span>{bytes(version.file_size)}</span>}
        <Moment at={version.created_at} />
        <Origin taskId={taskId} version={version} />
      </div>
      {path.versions.length > 1 && (
        <Field label={t('version')}>
          {(control) => (
            <select
              {...control}
              value={version.id}
              onChange={(event) => go(`/tasks/${taskId}/files/${event.target.value}${window.location.search}`)}
            >
              {path.versions.map((one) => (
                <option key={one.id} value={one.id}>
                  {t('versionLine', { version: one.version, time: absolute(new Date(one.created_at)) })}
                  {one.kind === 'removed' ? ` · ${t('isRemoved')}` : ` · ${bytes(one.file_size)}`}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      {canCompare ? (
        <Tabs
          label={t('view')}
          value={tab}
          onChange={(next) =>
            setParams(
              (old) => {
                if (next === 'changes') old.set('tab', 'changes')
                else ['tab', 'from'].forEach((name) => old.delete(name))
                return old
              },
              { replace: true },
            )
          }
          tabs={[
            { value: 'content', label: t('content'), content },
            {
              value: 'changes',
              label: t('changes'),
              content: <VersionDiff versions={withBytes} now={version.kind === 'file' ? version : withBytes[0]!} />,
            },
          ]}
        />
      ) : (
        content
      )}
    </section>
  )
}

/** Who wrote it: the call of a tool, by its place in the timeline, or a person. */
function Origin({ taskId, version }: { taskId: string; version: FileVersion }) {
  const { t } = useTranslation('files')
  const { supabase } = useServed()
  const { data } = useQuery(executionQuery(supabase, version.execution_id))
  if (version.execution_id)
    return (
      <Link href={`/tasks/${taskId}?call=${version.execution_id}`}>
        {data ? t('writtenBy', { tool: data.tool, step: data.step }) : t('writtenByCall')}
      </Link>
    )
  return <span>{version.uploaded_by ? t('given') : t('made')}</span>
}

function NoBytes({ version }: { version: FileVersion }) {
  const { t } = useTranslation('files')
  if (version.kind === 'link')
    return (
      <p className="viewer-note">
        {t('linkTo')} <FileName name={version.link_target ?? ''} />
      </p>
    )
  return <p className="viewer-note">{t(version.kind === 'removed' ? 'removedHere' : 'emptyFolder')}</p>
}
