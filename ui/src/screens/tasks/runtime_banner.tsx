import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { CopyButton } from '@/kit/copy'
import { duration } from '@/kit/figures'
import { Banner } from '@/kit/states'
import { useAccess } from '@/session/session'

interface RuntimeStatus {
  workers: number
  my_pending: number
  oldest_pending_seconds: number | null
  /** Null until a worker has said something. */
  model: { reachable: boolean | null; stand_in: boolean; missing: string[] } | null
}

const BUSY_SECONDS = 60

/** Why nothing moves, or not as it should, and what to do about it. Nothing while all is well. */
export function RuntimeBanner() {
  const { t } = useTranslation('tasks')
  const { supabase } = useServed()
  const { data: access } = useAccess()
  const { data: status } = useQuery({
    queryKey: ['runtime_status'],
    refetchInterval: 15_000,
    queryFn: async () => (await ask(supabase.rpc('runtime_status'))) as unknown as RuntimeStatus,
  })
  if (!status) return null
  const runsIt = access?.is_admin || access?.is_operator
  const tell = runsIt ? null : <span>{t('runtime.ask')}</span>
  const model = status.model
  const waits = status.oldest_pending_seconds ?? 0
  if (status.workers === 0)
    return (
      <Banner tone="warn">
        <strong>{t('runtime.noWorker')}</strong>
        <Remedy before={t('runtime.noWorkerText')} command="agent-runtime run">
          {t('runtime.noWorkerOr')} <code>agent-runtime up</code>.
        </Remedy>
        {tell}
      </Banner>
    )
  if (model?.reachable === false)
    return (
      <Banner tone="warn">
        <strong>{t('runtime.away')}</strong>
        <span>{t('runtime.awayText')}</span>
        {tell}
      </Banner>
    )
  if (model?.missing.length)
    return (
      <Banner tone="warn">
        <strong>{t('runtime.missing', { models: model.missing.join(', ') })}</strong>
        {model.missing.map((name) => (
          <Remedy key={name} before={t('runtime.missingText')} command={`ollama pull ${name}`} />
        ))}
        {tell}
      </Banner>
    )
  if (waits > BUSY_SECONDS)
    return (
      <Banner tone="info">
        <strong>{t('runtime.busy', { time: duration(waits) })}</strong>
        <span>{t('runtime.busyText')}</span>
      </Banner>
    )
  if (model?.stand_in)
    return (
      <Banner tone="info">
        <strong>{t('runtime.standIn')}</strong>
        <span>{t('runtime.standInText')}</span>
      </Banner>
    )
  return null
}

function Remedy({ before, command, children }: { before: string; command: string; children?: ReactNode }) {
  return (
    <span className="remedy">
      {before} <code>{command}</code> <CopyButton text={command} /> {children}
    </span>
  )
}
