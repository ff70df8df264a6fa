import { ChevronLeft } from 'lucide-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { Refused } from '@/data/problem'
import { Button } from '@/kit/button'
import { Card } from '@/kit/card'
import { ExactText, ExactWord } from '@/kit/exact_text'
import { Field } from '@/kit/field'
import { number } from '@/kit/figures'
import { useNotices } from '@/kit/notices'
import { numberTyped, same, type Json, type JsonObject } from '@/kit/schema'
import { ProblemLine } from '@/kit/states'
import { Badge } from '@/kit/status'
import { Switch } from '@/kit/switch'
import type { Access } from '@/session/session'
import { SecurityLevel } from '../approvals/parts'
import { Conflict } from './conflict'
import { useKeptEdit } from './kept_edit'
import { Fact, Facts, Locked } from './parts'
import type { ToolRow } from './tool_rows'
import { ToolTrial } from './tool_trial'

const SWITCHES = ['is_enabled', 'requires_confirmation'] as const
const NUMBERS = ['approvals_required', 'timeout_seconds', 'output_limit_bytes'] as const
type Governed = Pick<ToolRow, (typeof SWITCHES)[number] | (typeof NUMBERS)[number]>
/** As a person types it. */
type Fields = Pick<ToolRow, (typeof SWITCHES)[number]> & Record<(typeof NUMBERS)[number], string>

const governed = (tool: ToolRow): Governed => ({
  is_enabled: tool.is_enabled,
  requires_confirmation: tool.requires_confirmation,
  approvals_required: tool.approvals_required,
  timeout_seconds: tool.timeout_seconds,
  output_limit_bytes: tool.output_limit_bytes,
})
const typed = (of: Governed): Fields => ({
  ...of,
  approvals_required: String(of.approvals_required),
  timeout_seconds: String(of.timeout_seconds),
  output_limit_bytes: String(of.output_limit_bytes),
})

/** One tool: what it is, how it may be used, and a trial of it. */
export function ToolPage({ tool, access }: { tool: ToolRow; access: Access }) {
  const { t } = useTranslation(['admin', 'common'])
  return (
    <div className="admin-stack">
      <Link href="/admin/tools" className="admin-back">
        <ChevronLeft size={16} aria-hidden /> {t('tools.all')}
      </Link>
      <div className="admin-line">
        <h2>
          <ExactWord text={tool.display_name} />
        </h2>
        <code>{tool.name}</code>
        <SecurityLevel level={tool.security_level} />
        {tool.outward && <Badge>{t('tools.outward')}</Badge>}
        {tool.taints && <Badge>{t('tools.taints')}</Badge>}
      </div>
      <div className="admin-two">
        <div className="admin-stack">
          <Rules tool={tool} access={access} />
          <Card title={t('tools.trial')}>
            <ToolTrial tool={tool} access={access} />
          </Card>
        </div>
        <Card title={t('tools.about')}>
          <Facts>
            <Fact name={t('tools.category')}>
              <ExactWord text={tool.category} />
            </Fact>
            <Fact name={t('tools.kind')}>{t(`tools.kinds.${tool.implementation_type}`)}</Fact>
            <Fact name={t('agents.whose')}>{t(tool.tenant_id ? 'tools.team' : 'tools.platform')}</Fact>
            <Fact name={t('tools.used')}>{number(tool.usage_count)}</Fact>
            <Fact name={t('tools.retry')}>{t(`tools.retries.${tool.retry_class}`)}</Fact>
          </Facts>
          <div>
            <h3 className="field-label">{t('tools.description')}</h3>
            <ExactText text={tool.description} label={t('tools.description')} />
          </div>
        </Card>
      </div>
    </div>
  )
}

/** How the tool may be used: enabled, asking first, and its bounds. */
function Rules({ tool, access }: { tool: ToolRow; access: Access }) {
  const { t } = useTranslation(['admin', 'common'])
  const { supabase } = useServed()
  const queries = useQueryClient()
  const { tell } = useNotices()
  const locked = useWhyLocked(tool, access)
  const [edit, keep, forget] = useKeptEdit<Fields, Governed>(`tool.${tool.id}`)
  const base = edit?.base ?? governed(tool)
  const fields = edit?.fields ?? typed(base)
  const set = (part: Partial<Fields>) => keep({ fields: { ...fields, ...part }, base })
  const again = () => queries.invalidateQueries({ queryKey: ['admin', 'tools'] })
  const changed = [
    ...SWITCHES.filter((name) => fields[name] !== base[name]),
    ...NUMBERS.filter((name) => numberTyped(fields[name]) !== base[name]),
  ]
  const wrong = NUMBERS.filter((name) => typeof numberTyped(fields[name]) !== 'number')
  const what = changed.map((name) => t(`tools.fields.${name}`)).join(', ')
  const save = useMutation({
    mutationFn: async () => {
      const [now] = (await ask(
        supabase
          .from('tools')
          .select([...SWITCHES, ...NUMBERS].join(', '))
          .eq('id', tool.id),
      )) as unknown as Governed[]
      if (!now) throw new Refused('notFound', tool.name)
      if (!same(now as unknown as Json, base as unknown as Json)) throw new Refused('conflict', t('conflict.title'))
      const values = Object.fromEntries(
        changed.map((name) => [`p_${name}`, typeof fields[name] === 'boolean' ? fields[name] : Number(fields[name])]),
      )
      return await ask(supabase.rpc('set_tool', { p_tool: tool.id, ...values }))
    },
    onSuccess: async () => {
      // First what is there now, so that the old does not flash up.
      await again()
      tell(t('saved', { what }))
      forget()
    },
    onError: again,
  })
  const stale = !!edit && !save.isPending && !same(base as unknown as Json, governed(tool) as unknown as Json)
  return (
    <Card title={t('tools.rules')}>
      {locked && <Locked>{locked}</Locked>}
      {stale && (
        <Conflict
          before={base as unknown as JsonObject}
          theirs={governed(tool) as unknown as JsonObject}
          onKeepMine={() => keep({ fields, base: governed(tool) })}
          onTakeTheirs={forget}
        />
      )}
      {SWITCHES.map((name) => (
        <Switch
          key={name}
          label={t(`tools.fields.${name}`)}
          hint={tool.category === 'control' ? t('tools.control') : t(`tools.help.${name}`)}
          checked={fields[name]}
          disabled={!!locked || tool.category === 'control'}
          onChange={(next) => set({ [name]: next })}
        />
      ))}
      <div className="admin-fields">
        {NUMBERS.map((name) => (
          <Field
            key={name}
            label={t(`tools.fields.${name}`)}
            hint={t(`tools.help.${name}`)}
            error={wrong.includes(name) && t('noNumber')}
          >
            {(control) => (
              <input
                {...control}
                inputMode="numeric"
                autoComplete="off"
                disabled={!!locked}
                value={fields[name]}
                onChange={(event) => set({ [name]: event.target.value })}
              />
            )}
          </Field>
        ))}
      </div>
      {!locked && (
        <>
          <ProblemLine error={save.error} />
          <div className="admin-line">
            <Button
              look="primary"
              busy={save.isPending}
              disabled={stale || changed.length === 0 || wrong.length > 0}
              onClick={() => save.mutate()}
            >
              {t('common:save')}
            </Button>
            {edit && <Button onClick={forget}>{t('discard')}</Button>}
            <span className="admin-quiet" role="status">
              {changed.length > 0 && t('unsaved', { what })}
            </span>
          </div>
        </>
      )}
    </Card>
  )
}

function useWhyLocked(tool: ToolRow, access: Access): string | undefined {
  const { t } = useTranslation(['admin', 'common'])
  if (tool.tenant_id === null) return access.is_operator ? undefined : t('tools.lockedPlatform')
  return access.is_admin ? undefined : t('tools.lockedTeam')
}
