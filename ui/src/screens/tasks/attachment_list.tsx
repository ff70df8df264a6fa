import { Check, FileText, Loader2, RotateCw, TriangleAlert, X } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { problemOf } from '@/data/problem'
import { IconButton } from '@/kit/button'
import { bytes } from '@/kit/figures'
import { Progress } from '@/kit/progress'
import { TooLarge, type Attachment } from './attach/outbox'
import type { Attachments } from './use_attachments'

/** The files that go with the task, each with how far it is. */
export function AttachmentList({ files }: { files: Attachments }) {
  const { t } = useTranslation('tasks')
  const { attachments } = files.posted
  return (
    <>
      {files.folders.map((name) => (
        <p key={name} className="field-error" role="alert">
          {t('file.folder', { name })}
        </p>
      ))}
      {attachments.length > 0 && (
        <ul className="attachments" aria-label={t('file.list')}>
          {attachments.map((one) => (
            <Item key={one.id} one={one} files={files} />
          ))}
        </ul>
      )}
      <p className="visually-hidden" role="status">
        {attachments.length > 0 &&
          t('file.up', { up: attachments.filter((one) => one.state === 'stored').length, all: attachments.length })}
      </p>
    </>
  )
}

function Item({ one, files: { outbox } }: { one: Attachment; files: Attachments }) {
  const { t } = useTranslation('tasks')
  const said = useSaid(one)
  const isBad = one.state === 'failed' || one.state === 'lost'
  const isMoving = one.state === 'waiting' || one.state === 'sending'
  const Icon = isBad ? TriangleAlert : one.state === 'stored' ? Check : one.state === 'sending' ? Loader2 : FileText
  return (
    <li className={`attachment ${isBad ? 'attachment-bad' : ''}`}>
      <Icon size={16} aria-hidden className={one.state === 'sending' ? 'spin' : undefined} />
      <div className="attachment-main">
        <p className="attachment-line">
          <span className="attachment-name" title={one.name}>
            {one.name}
          </span>
          <span className="attachment-size">{bytes(one.size)}</span>
          <span className="attachment-state">{said}</span>
        </p>
        {one.state === 'sending' && (
          <Progress
            value={one.size ? Math.round((100 * one.sent) / one.size) : null}
            label={t('file.progress', { name: one.name })}
          />
        )}
      </div>
      {one.state === 'failed' && outbox.canRetry(one.id) && (
        <IconButton label={t('file.retry', { name: one.name })} onClick={() => outbox.retry(one.id)}>
          <RotateCw size={16} aria-hidden />
        </IconButton>
      )}
      <IconButton
        label={t(isMoving ? 'file.cancel' : 'file.remove', { name: one.name })}
        onClick={() => outbox.remove(one.id)}
      >
        <X size={16} aria-hidden />
      </IconButton>
    </li>
  )
}

function useSaid(one: Attachment): string {
  const { t } = useTranslation(['tasks', 'common'])
  if (one.state === 'sending')
    return one.sent >= one.size
      ? t('file.checking')
      : t('file.sending', { percent: Math.round((100 * one.sent) / one.size) })
  if (one.state !== 'failed') return t(`file.${one.state}`)
  if (one.error instanceof TooLarge) return t('file.tooLarge', { limit: bytes(one.error.limit) })
  const problem = problemOf(one.error)
  return problem.message
    ? `${t(`common:problem.${problem.kind}`)}: ${problem.message}`
    : t(`common:problem.${problem.kind}`)
}
