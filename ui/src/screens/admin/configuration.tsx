import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { Refused } from '@/data/problem'
import { Button } from '@/kit/button'
import { Card } from '@/kit/card'
import { ExactWord } from '@/kit/exact_text'
import { Field } from '@/kit/field'
import { bytes, duration, Moment } from '@/kit/figures'
import { readJson, written } from '@/kit/form_draft'
import { useNotices } from '@/kit/notices'
import { same, type Json } from '@/kit/schema'
import { Empty, Loading, ProblemLine, ProblemState } from '@/kit/states'
import type { Access } from '@/session/session'
import { Conflict } from './conflict'
import { useKeptEdit } from './kept_edit'
import { Locked } from './parts'
import { TenantLimits } from './tenant_limits'

interface ConfigRow {
  config_key: string
  config_value: Json
  description: string | null
  updated_at: string
}

// What each says and how large it is, in words; others are shown with what the database says of them.
const KNOWN = [
  'ollama_base_url',
  'default_model',
  'max_conversation_history',
  'file_upload_max_size',
  'workspace_max_size',
  'session_timeout',
  'enable_audit_logging',
  'max_concurrent_tasks',
  'approval_timeout',
] as const
type Known = (typeof KNOWN)[number]
const known = (key: string): Known | undefined => KNOWN.find((one) => one === key)
const SECONDS = new Set(['session_timeout', 'approval_timeout'])
const BYTES = new Set(['file_upload_max_size', 'workspace_max_size'])

/** The platform's configuration: everybody reads what is not sensitive, operators change it. */
export function Configuration({ access }: { access: Access }) {
  const { t } = useTranslation(['admin', 'common'])
  const { supabase } = useServed()
  const {
    data: rows,
    error,
    refetch,
  } = useQuery({
    queryKey: ['admin', 'configuration'],
    queryFn: async () =>
      (await ask(
        supabase.from('system_config').select('config_key, config_value, description, updated_at').order('config_key'),
      )) as unknown as ConfigRow[],
  })
  if (!rows) return error ? <ProblemState error={error} onRetry={() => void refetch()} /> : <Loading />
  return (
    <div className="admin-stack">
      <p className="admin-lead">{t('configuration.lead')}</p>
      {!access.is_operator && <Locked>{t('configuration.locked')}</Locked>}
      <ProblemLine error={error} />
      {rows.length === 0 && <Empty title={t('configuration.none')} />}
      <Card>
        <div className="admin-fields admin-wide">
          {rows.map((row) => (
            <Setting key={row.config_key} row={row} disabled={!access.is_operator} />
          ))}
        </div>
      </Card>
      <TenantLimits access={access} />
    </div>
  )
}

function Setting({ row, disabled }: { row: ConfigRow; disabled: boolean }) {
  const { t } = useTranslation(['admin', 'common'])
  const { supabase } = useServed()
  const queries = useQueryClient()
  const { tell } = useNotices()
  const key = row.config_key
  const [edit, keep, forget] = useKeptEdit<string, Json>(`config.${key}`)
  const [odd, setOdd] = useState(false)
  const base = edit ? edit.base : row.config_value
  const isText = typeof row.config_value === 'string'
  const shown = edit ? edit.fields : isText ? (row.config_value as string) : written(row.config_value)
  const again = () => queries.invalidateQueries({ queryKey: ['admin', 'configuration'] })
  const name = known(key)
  const save = useMutation({
    mutationFn: async (value: Json) => {
      const [now] = (await ask(
        supabase.from('system_config').select('config_value').eq('config_key', key),
      )) as unknown as ConfigRow[]
      if (now && !same(now.config_value, base)) throw new Refused('conflict', t('conflict.title'))
      return await ask(supabase.rpc('set_configuration', { p_key: key, p_value: value }))
    },
    onSuccess: async () => {
      // First what is there now, so that the old does not flash up.
      await again()
      tell(t('saved', { what: name ? t(`configuration.names.${name}`) : key }))
      forget()
    },
    onError: again,
  })
  const stale = !!edit && !save.isPending && !same(base, row.config_value)
  const submit = () => {
    const read = isText ? { value: shown } : readJson(shown)
    setOdd('detail' in read)
    if ('value' in read) save.mutate(read.value)
  }
  const value = Number(row.config_value)
  const inWords = SECONDS.has(key) ? duration(value) : BYTES.has(key) ? bytes(value) : ''
  return (
    <form
      className="setting"
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      <Field
        label={
          <>
            {name ? t(`configuration.names.${name}`) : <ExactWord text={key} />}{' '}
            <code className="admin-quiet">{name && key}</code>
          </>
        }
        hint={
          <>
            {name ? t(`configuration.help.${name}`) : <ExactWord text={row.description ?? ''} />}
            {inWords && ` · ${inWords}`} · {t('changed')} <Moment at={row.updated_at} />
          </>
        }
        error={odd && t('noJson')}
      >
        {(control) =>
          typeof row.config_value === 'boolean' ? (
            <select
              {...control}
              disabled={disabled}
              value={shown}
              onChange={(event) => keep({ fields: event.target.value, base })}
            >
              <option value="true">{t('common:yes')}</option>
              <option value="false">{t('common:no')}</option>
            </select>
          ) : (
            <input
              {...control}
              disabled={disabled}
              autoComplete="off"
              spellCheck={false}
              value={shown}
              onChange={(event) => keep({ fields: event.target.value, base })}
            />
          )
        }
      </Field>
      {edit && !disabled && (
        <span className="admin-line">
          <Button type="submit" look="primary" busy={save.isPending} disabled={stale}>
            {t('common:save')}
          </Button>
          <Button onClick={forget}>{t('discard')}</Button>
        </span>
      )}
      {stale && (
        <Conflict
          before={base}
          theirs={row.config_value}
          onKeepMine={() => keep({ fields: shown, base: row.config_value })}
          onTakeTheirs={forget}
        />
      )}
      <ProblemLine error={save.error} />
    </form>
  )
}
