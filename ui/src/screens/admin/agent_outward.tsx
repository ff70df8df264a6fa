import { Plus, X } from 'lucide-react'
import { useId, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'
import { ExactWord } from '@/kit/exact_text'
import { Field } from '@/kit/field'
import { argumentsSchema, same, type Json } from '@/kit/schema'
import { Loading, ProblemLine } from '@/kit/states'
import { Badge } from '@/kit/status'
import type { Access } from '@/session/session'
import { NO_PERMISSION, type AgentFields, type OutwardPermission } from './agent_fields'
import { Locked } from './parts'
import { useTools, type ToolRow } from './tool_rows'

// Words of the database, the same in every language.
const KINDS = ['named by the person', 'nobody']

interface AgentOutwardProps {
  fields: AgentFields
  access: Access
  disabled: boolean
  /** Whether the agent belongs to the catalogue, which is the operators'. */
  catalogue: boolean
  /** Whether what is typed has to be added, or emptied, first. */
  wrong: boolean
  onChange: (part: Partial<AgentFields>) => void
}

/** Where its tools may send without asking, in tasks that have read something from outside. */
export function AgentOutward({ fields, access, disabled, catalogue, wrong, onChange }: AgentOutwardProps) {
  const { t } = useTranslation('admin')
  const { data: tools, error } = useTools()
  const all = useRef<HTMLDivElement>(null)
  const permissions = fields.outward_permissions
  // By these it sends what strangers told it to, so the word of who made it is not enough.
  const mayPermit = catalogue ? access.is_operator : access.is_admin
  const offered = (tools ?? []).filter(
    (tool) => fields.tools_enabled.includes(tool.name) && tool.outward && tool.destination !== null,
  )
  return (
    <div
      className="admin-stack"
      role="group"
      aria-label={t('agents.fields.outward_permissions')}
      tabIndex={-1}
      ref={all}
    >
      <p className="field-hint">{t('agents.help.outward_permissions')}</p>
      {!disabled && !mayPermit && <Locked>{t('agents.outward.admins')}</Locked>}
      {permissions.length === 0 && <p>{t('agents.outward.none')}</p>}
      {permissions.length > 0 && (
        <ul className="outward-list">
          {permissions.map((permission, index) => (
            // oxlint-disable-next-line react/no-array-index-key -- a permission has no name but its place
            <li key={index} className="choice-line">
              <Permission permission={permission} missing={!fields.tools_enabled.includes(permission.tool)} />
              {!disabled && mayPermit && (
                <Button
                  small
                  icon={<X size={14} aria-hidden />}
                  aria-label={t('agents.outward.removeOf', { tool: permission.tool, to: permission.destination })}
                  onClick={() => {
                    onChange({ outward_permissions: permissions.filter((_, place) => place !== index) })
                    // The button goes, and the place of who works by keyboard must not go with it.
                    all.current?.focus()
                  }}
                >
                  {t('agents.outward.remove')}
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
      {!disabled &&
        mayPermit &&
        (!tools ? (
          error ? (
            <ProblemLine error={error} />
          ) : (
            <Loading />
          )
        ) : offered.length === 0 ? (
          <p className="field-hint">{t('agents.outward.noTools')}</p>
        ) : (
          <Permitting
            tools={offered}
            typed={fields.permitting}
            wrong={wrong}
            onType={(permitting) => onChange({ permitting })}
            onAdd={(added) =>
              onChange({
                permitting: NO_PERMISSION,
                outward_permissions: [
                  ...permissions.filter((one) => !same(one as unknown as Json, added as unknown as Json)),
                  added,
                ],
              })
            }
          />
        ))}
    </div>
  )
}

function Permission({ permission, missing }: { permission: OutwardPermission; missing: boolean }) {
  const { t } = useTranslation('admin')
  return (
    <>
      <span className="choice-main">
        <code>{permission.tool}</code> <span className="admin-quiet">{t('agents.outward.to')}</span>{' '}
        <ExactWord text={permission.destination} />
        {!!permission.bound?.length && (
          <span className="outward-words admin-quiet">
            {t('agents.outward.boundTo')} <ExactWord text={permission.bound.join(', ')} />
          </span>
        )}
      </span>
      {missing && <Badge tone="warn">{t('agents.outward.missing')}</Badge>}
    </>
  )
}

/** One more of them, as it is typed. */
function Permitting({
  tools,
  typed,
  wrong,
  onType,
  onAdd,
}: {
  tools: ToolRow[]
  typed: Required<OutwardPermission>
  wrong: boolean
  onType: (typed: Required<OutwardPermission>) => void
  onAdd: (added: OutwardPermission) => void
}) {
  const { t } = useTranslation('admin')
  const listed = useId()
  const tool = tools.find((one) => one.name === typed.tool) ?? tools[0]!
  const fixed = tool.destination?.startsWith('=') ? tool.destination.slice(1) : undefined
  // Those that say where to are what the destination is about.
  const places = fixed === undefined ? (tool.destination ?? '').split(',').map((name) => name.trim()) : []
  const names = Object.keys(argumentsSchema(tool.function_schema).properties ?? {}).filter(
    (name) => !places.includes(name),
  )
  const bound = names.filter((name) => typed.bound.includes(name))
  const set = (part: Partial<OutwardPermission>) => onType({ ...typed, tool: tool.name, bound, ...part })
  return (
    <form
      className="admin-stack"
      onSubmit={(event) => {
        event.preventDefault()
        const destination = typed.destination.trim()
        if (destination) onAdd({ tool: tool.name, destination, ...(bound.length ? { bound } : {}) })
      }}
    >
      <div className="admin-fields admin-wide">
        <Field label={t('agents.outward.tool')} hint={t('agents.outward.toolHint')}>
          {(control) => (
            <select {...control} value={tool.name} onChange={(event) => set({ tool: event.target.value, bound: [] })}>
              {tools.map((one) => (
                <option key={one.name} value={one.name}>
                  {one.name}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field
          label={t('agents.outward.destination')}
          hint={fixed === undefined ? t('agents.outward.kinds') : t('agents.outward.fixed', { to: fixed })}
          error={wrong && t('agents.outward.addFirst')}
        >
          {(control) => (
            <input
              {...control}
              required
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              list={listed}
              value={typed.destination}
              onChange={(event) => set({ destination: event.target.value })}
            />
          )}
        </Field>
        <datalist id={listed}>
          {(fixed === undefined ? KINDS : [fixed]).map((kind) => (
            <option key={kind}>{kind}</option>
          ))}
        </datalist>
      </div>
      {names.length > 0 && (
        <fieldset className="outward-bound">
          <legend className="field-label">{t('agents.outward.bound')}</legend>
          <p className="field-hint">{t('agents.outward.boundHint')}</p>
          <div className="admin-line">
            {names.map((name) => (
              <label key={name}>
                <input
                  type="checkbox"
                  checked={bound.includes(name)}
                  onChange={() => set({ bound: names.filter((one) => bound.includes(one) !== (one === name)) })}
                />
                <code>{name}</code>
              </label>
            ))}
          </div>
        </fieldset>
      )}
      <div>
        <Button type="submit" icon={<Plus size={16} aria-hidden />}>
          {t('agents.outward.add')}
        </Button>
      </div>
    </form>
  )
}
