import { CheckCircle2, TriangleAlert } from 'lucide-react'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { problemOf } from '@/data/problem'
import { Card } from '@/kit/card'
import { ExactWord } from '@/kit/exact_text'
import { bytes, duration, Moment, number } from '@/kit/figures'
import { Loading, ProblemLine, ProblemState } from '@/kit/states'
import { Badge } from '@/kit/status'
import { Table } from '@/kit/table'
import type { Access } from '@/session/session'
import type { Health as HealthReport, Troubled, Worker } from './health_data'
import { Fact, Facts, NoAccess } from './parts'

const EVERY_MS = 5_000

/** How the runtime is: workers, what waits, the model, with the age of each and what to do where something is wrong. */
export function Health({ access }: { access: Access }) {
  const { t } = useTranslation(['admin', 'common'])
  const { supabase } = useServed()
  const {
    data: health,
    error,
    refetch,
  } = useQuery({
    queryKey: ['admin', 'health'],
    refetchInterval: EVERY_MS,
    queryFn: async () => (await ask(supabase.rpc('runtime_health'))) as unknown as HealthReport,
  })
  if (error && !health)
    return problemOf(error).kind === 'denied' || (!access.is_admin && !access.is_operator) ? (
      <NoAccess>{t('health.noAccess')}</NoAccess>
    ) : (
      <ProblemState error={error} onRetry={() => void refetch()} />
    )
  if (!health) return <Loading />
  const { queue, model, reap, audit, sizes } = health
  const waiting = Object.entries(queue.waiting)
  return (
    <div className="admin-stack">
      <p className="admin-lead">
        {t(health.scope === 'platform' ? 'health.platform' : 'health.tenant')} {t('health.asOf')}{' '}
        <Moment at={health.server_time} />
      </p>
      <ProblemLine error={error} />
      <Card title={t('health.workers')}>
        {health.workers.length === 0 ? (
          <p className="admin-quiet">{t('health.noWorkers')}</p>
        ) : (
          <Workers workers={health.workers} />
        )}
      </Card>
      <div className="health-cards">
        <Part title={t('health.queue')} of={queue}>
          <Fact name={t('health.pending')}>{number(queue.pending)}</Fact>
          <Fact name={t('health.oldest')}>
            {queue.oldest_pending_seconds === null ? t('common:none') : duration(queue.oldest_pending_seconds)}
          </Fact>
          <Fact name={t('health.running')}>{number(queue.running)}</Fact>
          <Fact name={t('health.scheduled')}>{number(queue.scheduled)}</Fact>
          <Fact name={t('health.paused')}>{number(queue.paused)}</Fact>
          {waiting.map(([reason, count]) => (
            <Fact key={reason} name={reason in WAITS ? t(`common:wait.${reason as keyof typeof WAITS}`) : reason}>
              {number(count)}
            </Fact>
          ))}
          {queue.overdue_leases > 0 && <Fact name={t('health.overdue')}>{number(queue.overdue_leases)}</Fact>}
        </Part>
        <Part title={t('health.model')} of={model}>
          <Fact name={t('health.reachable')}>
            {model.reachable === null ? t('health.unknown') : t(model.reachable ? 'common:yes' : 'common:no')}
          </Fact>
          <Fact name={t('health.standIn')}>{t(model.stand_in ? 'common:yes' : 'common:no')}</Fact>
          <Fact name={t('health.missing')}>{model.missing.join(', ') || t('common:none')}</Fact>
        </Part>
        <Part title={t('health.reap')} of={reap}>
          <Fact name={t('health.lastReap')}>
            <Moment at={reap.last_at} />
          </Fact>
        </Part>
        <Part title={t('health.audit')} of={audit}>
          <Fact name={t('health.enabled')}>{t(audit.enabled ? 'common:yes' : 'common:no')}</Fact>
          <Fact name={t('audit.rows')}>{number(audit.head?.chain_seq ?? 0)}</Fact>
          <Fact name={t('audit.lastWritten')}>
            <Moment at={audit.head?.created_at} />
          </Fact>
        </Part>
        <Part title={t('health.sizes')} of={{}}>
          {sizes.files_bytes != null && <Fact name={t('health.files')}>{bytes(sizes.files_bytes)}</Fact>}
          {sizes.database_bytes != null && <Fact name={t('health.database')}>{bytes(sizes.database_bytes)}</Fact>}
          {Object.entries(sizes.tables ?? {}).map(([name, table]) => (
            <Fact key={name} name={<code>{name}</code>}>
              {bytes(table.bytes)}
            </Fact>
          ))}
          <Fact name={t('health.schema')}>{health.schema_version}</Fact>
        </Part>
      </div>
    </div>
  )
}

const WAITS = { answer: 1, approval: 1, doubt: 1, children: 1, schedule: 1 }

/** A part of the runtime with its state in words, and the remedy where it has a problem. */
function Part({ title, of, children }: { title: string; of: Troubled; children: ReactNode }) {
  return (
    <Card title={title}>
      <Remedy of={of} />
      <Facts>{children}</Facts>
    </Card>
  )
}

const PROBLEMS = [
  'no_worker',
  'worker_lost',
  'no_report',
  'model_unreachable',
  'model_missing',
  'model_stand_in',
  'unsandboxed',
  'queue_stuck',
  'leases_overdue',
  'reap_late',
  'audit_off',
] as const

function Remedy({ of, inTable }: { of: Troubled; inTable?: boolean }) {
  const { t } = useTranslation(['admin', 'common'])
  if (!of.problem) return null
  const known = PROBLEMS.find((one) => one === of.problem)
  return (
    <p className={inTable ? 'admin-remedy' : 'banner tone-warn'}>
      <TriangleAlert size={16} aria-hidden />
      <span>{known ? t(`health.remedies.${known}`) : of.remedy}</span>
    </p>
  )
}

function Workers({ workers }: { workers: Worker[] }) {
  const { t } = useTranslation(['admin', 'common'])
  return (
    <Table
      label={t('health.workers')}
      rows={workers}
      keyOf={(worker) => worker.id}
      columns={[
        {
          key: 'worker',
          head: t('health.worker'),
          cell: (worker) => (
            <div className="admin-name">
              <strong>
                <ExactWord text={worker.host} />
              </strong>
              <span className="admin-quiet">
                {t('health.process', { pid: worker.pid })} · {worker.version} · {worker.transport}
              </span>
            </div>
          ),
        },
        {
          key: 'state',
          head: t('tools.state'),
          cell: (worker) => (
            <Badge tone={worker.problem ? 'warn' : worker.state === 'working' ? 'good' : 'quiet'}>
              {worker.problem ? <TriangleAlert size={14} aria-hidden /> : <CheckCircle2 size={14} aria-hidden />}
              {worker.state in STATES ? t(`health.states.${worker.state as keyof typeof STATES}`) : worker.state}
            </Badge>
          ),
        },
        {
          key: 'running',
          head: t('health.running'),
          number: true,
          cell: (worker) => `${number(worker.running)} / ${number(worker.capacity)}`,
        },
        { key: 'since', head: t('health.since'), cell: (worker) => <Moment at={worker.started_at} /> },
        { key: 'heard', head: t('health.heard'), cell: (worker) => <Moment at={worker.heartbeat_at} /> },
        {
          key: 'model',
          head: t('health.model'),
          cell: (worker) => (
            <div className="admin-name">
              {worker.health?.model_url && (
                <code>
                  <ExactWord text={worker.health.model_url} />
                </code>
              )}
              <Remedy of={worker} inTable />
              {worker.missing.length > 0 && <span className="admin-quiet">{worker.missing.join(', ')}</span>}
              {worker.health?.error && (
                <span className="admin-quiet">
                  <ExactWord text={worker.health.error} />
                </span>
              )}
            </div>
          ),
        },
      ]}
    />
  )
}

const STATES = { working: 1, lost: 1, stopped: 1 }
