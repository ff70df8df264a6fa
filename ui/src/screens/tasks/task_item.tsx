import {
  EllipsisVertical,
  FolderOpen,
  History,
  Hourglass,
  OctagonX,
  Pause,
  Play,
  SquareArrowOutUpRight,
} from 'lucide-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation } from 'wouter'
import { IconButton } from '@/kit/button'
import { Confirm } from '@/kit/dialog'
import { absolute, Moment } from '@/kit/figures'
import { Menu, MenuItem, MenuLine } from '@/kit/menu'
import { StatusBadge } from '@/kit/status'
import type { Access } from '@/session/session'
import { quoted, useControl, type TaskRow } from './rows'

const OVER = ['completed', 'failed', 'cancelled']

export function TaskItem({ row, access }: { row: TaskRow; access: Access | undefined }) {
  const { t } = useTranslation(['tasks', 'common'])
  const phases = row.total_phases ?? 1
  const phase = Math.min(row.current_phase ?? 1, phases)
  const isOver = OVER.includes(row.status)
  return (
    <li className="item">
      <StatusBadge status={row.status} />
      <div className="item-main">
        <Link className="item-title" href={`/tasks/${row.id}`}>
          {row.title}
        </Link>
        <p className="item-sub">
          {row.agent_name && <span>{row.agent_name}</span>}
          {!row.is_mine && row.owner_name && <span>{t('row.by', { name: row.owner_name })}</span>}
          {row.priority > 1 && <span>{t('row.priority', { priority: row.priority })}</span>}
          {phases > 1 && (
            <span className="item-phase">
              {!isOver && (
                <span
                  className="item-meter"
                  role="progressbar"
                  aria-label={t('row.progress', { title: row.title })}
                  aria-valuemin={0}
                  aria-valuemax={100}
                  aria-valuenow={Math.round(row.progress_percentage ?? 0)}
                >
                  <span style={{ width: `${row.progress_percentage ?? 0}%` }} />
                </span>
              )}
              {row.phase_title && !isOver
                ? t('row.phaseTitled', { now: phase, all: phases, title: row.phase_title })
                : t('row.phase', { now: phase, all: phases })}
            </span>
          )}
        </p>
        <Waits row={row} access={access} />
        {row.parent_task_id && (
          <p className="item-sub">
            <Link href={`/tasks/${row.parent_task_id}`}>{t('row.partOf')}</Link>
          </p>
        )}
        {!!row.children_count && (
          <p className="item-sub">
            <span>{t('row.children', { done: row.children_completed ?? 0, all: row.children_count })}</span>
            {!!row.children_waiting && <span>{t('row.childrenWait', { count: row.children_waiting })}</span>}
          </p>
        )}
        {row.status === 'failed' && row.error_message && <p className="item-error">{row.error_message}</p>}
      </div>
      <p className="item-figures">
        {!!row.files_count && <span>{t('row.files', { count: row.files_count })}</span>}
        {!!row.current_step && (
          <span>
            {isOver ? t('row.steps', { count: row.current_step }) : t('row.step', { step: row.current_step })}
          </span>
        )}
        <Moment at={row.age_from} />
      </p>
      <Actions row={row} canWrite={!!access?.can_write} />
    </li>
  )
}

/** What a task that does not move waits for, or is asked to do. */
function Waits({ row, access }: { row: TaskRow; access: Access | undefined }) {
  const { t } = useTranslation(['tasks', 'common'])
  const asked = row.cancel_requested_at ? 'row.stopping' : row.pause_requested_at ? 'row.pausing' : null
  if (row.status === 'running' && asked) return <p className="item-waits">{t(asked)}</p>
  if (row.status === 'pending' && row.run_after)
    return (
      <p className="item-waits">
        <Hourglass size={14} aria-hidden />
        {t('row.later', { time: absolute(new Date(row.run_after)) })}
      </p>
    )
  if (row.status !== 'waiting' || !row.wait_reason) return null
  const decides =
    ['approval', 'doubt'].includes(row.wait_reason) && access?.can_write && (row.is_mine || access.is_admin)
  return (
    <p className="item-waits">
      <Hourglass size={14} aria-hidden />
      {t(`common:wait.${row.wait_reason as 'answer'}`, row.wait_reason)}
      {decides && <Link href="/approvals">{t('row.decide')}</Link>}
    </p>
  )
}

function Actions({ row, canWrite }: { row: TaskRow; canWrite: boolean }) {
  const { t } = useTranslation('tasks')
  const [, go] = useLocation()
  const control = useControl()
  const [stopping, setStopping] = useState(false)
  const isOver = OVER.includes(row.status)
  const mine = row.is_mine && canWrite && !isOver
  const isHeld = row.status === 'paused' || (row.status === 'running' && !!row.pause_requested_at)
  return (
    <>
      <Menu
        trigger={
          <IconButton label={t('row.actions', { title: row.title })} className="item-actions">
            <EllipsisVertical size={18} aria-hidden />
          </IconButton>
        }
      >
        <MenuItem icon={<SquareArrowOutUpRight size={16} aria-hidden />} onSelect={() => go(`/tasks/${row.id}`)}>
          {t('row.open')}
        </MenuItem>
        <MenuItem icon={<FolderOpen size={16} aria-hidden />} onSelect={() => go(`/tasks/${row.id}/files`)}>
          {t('new.files')}
        </MenuItem>
        {isOver && (
          <MenuItem icon={<History size={16} aria-hidden />} onSelect={() => go(`/tasks/${row.id}/replay`)}>
            {t('row.replay')}
          </MenuItem>
        )}
        {mine && (
          <>
            <MenuLine />
            {isHeld ? (
              <MenuItem
                icon={<Play size={16} aria-hidden />}
                onSelect={() => control.mutate({ call: 'resume_task', task: row })}
              >
                {t('row.resume')}
              </MenuItem>
            ) : (
              <MenuItem
                icon={<Pause size={16} aria-hidden />}
                disabled={!!row.cancel_requested_at}
                onSelect={() => control.mutate({ call: 'pause_task', task: row })}
              >
                {t('row.pause')}
              </MenuItem>
            )}
            <MenuItem
              danger
              icon={<OctagonX size={16} aria-hidden />}
              disabled={!!row.cancel_requested_at}
              onSelect={() => setStopping(true)}
            >
              {t('row.stop')}
            </MenuItem>
          </>
        )}
      </Menu>
      <Confirm
        open={stopping}
        onOpenChange={setStopping}
        title={t('stop.title')}
        description={t('stop.text', { title: quoted(row.title) })}
        confirm={t('stop.confirm')}
        danger
        busy={control.isPending}
        onConfirm={() => control.mutate({ call: 'cancel_task', task: row }, { onSettled: () => setStopping(false) })}
      />
    </>
  )
}
