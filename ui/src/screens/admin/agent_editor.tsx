import { ChevronLeft } from 'lucide-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation } from 'wouter'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { Refused } from '@/data/problem'
import { Button } from '@/kit/button'
import { ExactWord } from '@/kit/exact_text'
import { useNotices } from '@/kit/notices'
import type { JsonObject } from '@/kit/schema'
import { ProblemLine } from '@/kit/states'
import type { Access } from '@/session/session'
import { AgentActions, Whose } from './agents'
import {
  changesBetween,
  columnsOf,
  fieldsOf,
  NEW_AGENT,
  readFields,
  type AgentColumns,
  type AgentFields,
  type AgentRow,
} from './agent_fields'
import { AgentForm } from './agent_form'
import { Conflict } from './conflict'
import { useKeptEdit } from './kept_edit'
import { Locked } from './parts'

/** Why this person may not change an agent; undefined when they may. The database decides; this only says so beforehand. */
function useWhyLocked(agent: AgentRow, access: Access): string | undefined {
  const { t } = useTranslation(['admin', 'common'])
  if (agent.tenant_id === null) return access.is_operator ? undefined : t('agents.lockedCatalogue')
  if (!access.can_write) return t('agents.viewer')
  if (agent.created_by === access.user_id || (access.is_admin && agent.tenant_id === access.tenant_id)) return undefined
  return t('agents.lockedOther')
}

export function AgentEditor({ agent, access }: { agent: AgentRow; access: Access }) {
  const { t } = useTranslation(['admin', 'common'])
  const { supabase } = useServed()
  const queries = useQueryClient()
  const { tell } = useNotices()
  const locked = useWhyLocked(agent, access)
  const [edit, keep, forget] = useKeptEdit<AgentFields, AgentRow>(`agent.${agent.id}`)
  const [attempted, setAttempted] = useState(false)
  // What was kept before an update of this screen lacks the fields that came with it.
  const base = { ...agent, ...edit?.base }
  const fields = { ...fieldsOf(columnsOf(agent)), ...edit?.fields }
  const read = readFields(fields)
  const changes = 'columns' in read ? changesBetween(columnsOf(base), read.columns) : {}
  const again = () => queries.invalidateQueries({ queryKey: ['admin', 'agents'] })
  const names = (columns: object) =>
    Object.keys(columns)
      .map((name) => t(`agents.fields.${name as keyof AgentColumns}`))
      .join(', ')

  const save = useMutation({
    mutationFn: async () => {
      const rows = (await ask(
        supabase
          .from('agents')
          .update(changes)
          .eq('id', agent.id)
          // Nothing is written over what somebody else wrote meanwhile.
          .eq('updated_at', base.updated_at)
          .select('id, updated_at'),
      )) as unknown as AgentRow[]
      if (rows.length === 0) throw new Refused(await whyNot(), t('conflict.title'))
    },
    onSuccess: async () => {
      // First what is there now, so that the old does not flash up.
      await again()
      tell(t('saved', { what: names(changes) }))
      setAttempted(false)
      forget()
    },
    onError: again,
  })
  const stale = base.updated_at !== agent.updated_at && !save.isPending
  const whyNot = async () => {
    const [now] = (await ask(supabase.from('agents').select('updated_at').eq('id', agent.id))) as unknown as AgentRow[]
    return now && now.updated_at === base.updated_at ? 'denied' : now ? 'conflict' : 'notFound'
  }

  return (
    <div className="admin-stack">
      <Back />
      <div className="admin-line admin-spread">
        <div className="admin-line">
          <h2>
            <ExactWord text={agent.name} />
          </h2>
          <Whose agent={agent} access={access} />
        </div>
        <AgentActions agent={agent} access={access} />
      </div>
      {locked && <Locked>{locked}</Locked>}
      {edit && stale && (
        <Conflict
          before={columnsOf(base) as unknown as JsonObject}
          theirs={columnsOf(agent) as unknown as JsonObject}
          onKeepMine={() => keep({ fields, base: agent })}
          onTakeTheirs={forget}
        />
      )}
      <AgentForm
        fields={fields}
        access={access}
        disabled={!!locked}
        catalogue={agent.tenant_id === null}
        wrong={attempted && 'wrong' in read ? read.wrong : new Set()}
        onChange={(next) => keep({ fields: next, base })}
      />
      {!locked && (
        <div className="admin-bar">
          <Button
            look="primary"
            busy={save.isPending}
            disabled={!edit || stale || ('columns' in read && Object.keys(changes).length === 0)}
            onClick={() => {
              setAttempted(true)
              if ('columns' in read) save.mutate()
            }}
          >
            {t('common:save')}
          </Button>
          {edit && <Button onClick={forget}>{t('discard')}</Button>}
          <span className="admin-quiet" role="status">
            {attempted && 'wrong' in read
              ? t('correctFirst')
              : Object.keys(changes).length > 0
                ? t('unsaved', { what: names(changes) })
                : ''}
          </span>
          <ProblemLine error={save.error} />
        </div>
      )}
    </div>
  )
}

export function NewAgent({ access }: { access: Access }) {
  const { t } = useTranslation(['admin', 'common'])
  const { supabase } = useServed()
  const queries = useQueryClient()
  const { tell } = useNotices()
  const [, go] = useLocation()
  const [edit, keep, forget] = useKeptEdit<AgentFields, null>('agent.new')
  const [attempted, setAttempted] = useState(false)
  const fields = { ...fieldsOf(NEW_AGENT), ...edit?.fields }
  const read = readFields(fields)
  const make = useMutation({
    mutationFn: async (columns: AgentColumns) => {
      const [row] = (await ask(
        supabase
          .from('agents')
          .insert({ ...columns, created_by: access.user_id, tenant_id: access.tenant_id })
          .select('id, name'),
      )) as unknown as AgentRow[]
      return row!
    },
    onSuccess: async (row) => {
      tell(t('agents.made', { name: row.name }))
      forget()
      await queries.invalidateQueries({ queryKey: ['admin', 'agents'] })
      go(`/admin/agents/${row.id}`)
    },
  })
  return (
    <div className="admin-stack">
      <Back />
      <h2>{t('agents.new')}</h2>
      {!access.can_write && <Locked>{t('agents.viewer')}</Locked>}
      <AgentForm
        fields={fields}
        access={access}
        disabled={!access.can_write}
        wrong={attempted && 'wrong' in read ? read.wrong : new Set()}
        onChange={(next) => keep({ fields: next, base: null })}
      />
      {access.can_write && (
        <div className="admin-bar">
          <Button
            look="primary"
            busy={make.isPending}
            onClick={() => {
              setAttempted(true)
              if ('columns' in read) make.mutate(read.columns)
            }}
          >
            {t('agents.make')}
          </Button>
          {edit && <Button onClick={forget}>{t('discard')}</Button>}
          <span className="admin-quiet" role="status">
            {attempted && 'wrong' in read ? t('correctFirst') : ''}
          </span>
          <ProblemLine error={make.error} />
        </div>
      )}
    </div>
  )
}

function Back() {
  const { t } = useTranslation(['admin', 'common'])
  return (
    <Link href="/admin/agents" className="admin-back">
      <ChevronLeft size={16} aria-hidden /> {t('agents.all')}
    </Link>
  )
}
