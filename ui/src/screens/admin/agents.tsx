import { Copy, Play, Plus } from 'lucide-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation } from 'wouter'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { Button } from '@/kit/button'
import { Dialog } from '@/kit/dialog'
import { ExactWord } from '@/kit/exact_text'
import { Field } from '@/kit/field'
import { Moment } from '@/kit/figures'
import { useNotices } from '@/kit/notices'
import { Empty, Loading, ProblemLine, ProblemState } from '@/kit/states'
import { Badge } from '@/kit/status'
import { Table } from '@/kit/table'
import type { Access } from '@/session/session'
import { AgentEditor, NewAgent } from './agent_editor'
import type { AgentRow } from './agent_fields'
import { Locked } from './parts'

const COLUMNS =
  'id, name, description, system_prompt, model_name, temperature, max_tokens, memory_enabled, memory_limit, tools_enabled, ' +
  'standing_permissions, outward_permissions, configuration, is_public, is_active, created_by, tenant_id, updated_at'

export function useAgents() {
  const { supabase } = useServed()
  return useQuery({
    queryKey: ['admin', 'agents'],
    queryFn: async () =>
      (await ask(supabase.from('agents').select(COLUMNS).order('name').limit(1_000))) as unknown as AgentRow[],
  })
}

/** The agents that one sees: the own, the team's shared ones, the catalogue's. */
export function Agents({ access, item }: { access: Access; item: string }) {
  const { t } = useTranslation('admin')
  const { data: agents, error, refetch } = useAgents()
  if (!agents) return error ? <ProblemState error={error} onRetry={() => void refetch()} /> : <Loading />
  if (item === 'new') return <NewAgent access={access} />
  if (item) {
    const agent = agents.find((one) => one.id === item)
    if (!agent) return <ProblemState error={{ code: 'AR002', message: item }} />
    return <AgentEditor key={agent.id} agent={agent} access={access} />
  }
  return (
    <div className="admin-stack">
      <div className="admin-line admin-spread">
        <p className="admin-lead">{t('agents.lead')}</p>
        {access.can_write && (
          <Link href="/admin/agents/new" className="button button-primary">
            <Plus size={16} aria-hidden /> {t('agents.new')}
          </Link>
        )}
      </div>
      {!access.can_write && <Locked>{t('agents.viewer')}</Locked>}
      <ProblemLine error={error} />
      {agents.length === 0 ? (
        <Empty title={t('agents.none')} />
      ) : (
        <Table
          label={t('tabs.agents')}
          rows={agents}
          keyOf={(agent) => agent.id}
          columns={[
            {
              key: 'agent',
              head: t('agents.agent'),
              cell: (agent) => (
                <div className="admin-name">
                  <Link href={`/admin/agents/${agent.id}`}>
                    <ExactWord text={agent.name} />
                  </Link>
                  {agent.description && (
                    <span className="admin-quiet">
                      <ExactWord text={shortened(agent.description)} />
                    </span>
                  )}
                </div>
              ),
            },
            { key: 'whose', head: t('agents.whose'), cell: (agent) => <Whose agent={agent} access={access} /> },
            { key: 'model', head: t('agents.model'), cell: (agent) => <code>{agent.model_name}</code> },
            { key: 'tools', head: t('tabs.tools'), number: true, cell: (agent) => agent.tools_enabled.length },
            { key: 'changed', head: t('changed'), cell: (agent) => <Moment at={agent.updated_at} /> },
            {
              key: 'do',
              head: <span className="visually-hidden">{t('actions')}</span>,
              cell: (agent) => <AgentActions agent={agent} access={access} />,
            },
          ]}
        />
      )}
    </div>
  )
}

const shortened = (text: string) => (text.length > 140 ? `${text.slice(0, 140)}…` : text)

export function Whose({ agent, access }: { agent: AgentRow; access: Access }) {
  const { t } = useTranslation('admin')
  return (
    <span className="admin-line">
      {agent.tenant_id === null ? (
        <Badge tone="info">{t('agents.catalogue')}</Badge>
      ) : (
        <Badge>
          {t(
            agent.is_public ? 'agents.shared' : agent.created_by === access.user_id ? 'agents.mine' : 'agents.private',
          )}
        </Badge>
      )}
      {!agent.is_active && <Badge tone="warn">{t('agents.retired')}</Badge>}
    </span>
  )
}

/** Try it, and copy it. */
export function AgentActions({ agent, access }: { agent: AgentRow; access: Access }) {
  const { t } = useTranslation('admin')
  const [copying, setCopying] = useState(false)
  if (!access.can_write) return null
  return (
    <span className="admin-line">
      {agent.is_active && (
        <Link
          href={`/tasks?new=1&agent=${encodeURIComponent(agent.name)}`}
          className="button button-small button-plain"
        >
          <Play size={14} aria-hidden /> {t('agents.try')}
        </Link>
      )}
      <Button small icon={<Copy size={14} aria-hidden />} onClick={() => setCopying(true)}>
        {t('agents.clone')}
      </Button>
      {copying && <CloneDialog agent={agent} onClose={() => setCopying(false)} />}
    </span>
  )
}

function CloneDialog({ agent, onClose }: { agent: AgentRow; onClose: () => void }) {
  const { t } = useTranslation('admin')
  const { supabase } = useServed()
  const queries = useQueryClient()
  const { tell } = useNotices()
  const [, go] = useLocation()
  const [name, setName] = useState(() => t('agents.copyOf', { name: agent.name }).slice(0, 255))
  const clone = useMutation({
    mutationFn: async () =>
      (await ask(supabase.rpc('clone_agent', { p_agent: agent.id, p_name: name }))) as unknown as AgentRow,
    onSuccess: async (made) => {
      tell(t('agents.cloned', { name: made.name }))
      await queries.invalidateQueries({ queryKey: ['admin', 'agents'] })
      go(`/admin/agents/${made.id}`)
    },
  })
  return (
    <Dialog
      open
      onOpenChange={(open) => open || onClose()}
      title={t('agents.cloneTitle')}
      description={t('agents.cloneText')}
    >
      <form
        className="admin-stack"
        onSubmit={(event) => {
          event.preventDefault()
          clone.mutate()
        }}
      >
        <Field label={t('agents.fields.name')}>
          {(control) => (
            <input
              {...control}
              required
              maxLength={255}
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
        <ProblemLine error={clone.error} />
        <div className="dialog-actions">
          <Button type="submit" look="primary" busy={clone.isPending}>
            {t('agents.clone')}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
