import { useTranslation } from 'react-i18next'
import { ExactWord } from '@/kit/exact_text'
import { Loading, ProblemLine } from '@/kit/states'
import { Badge } from '@/kit/status'
import type { Access } from '@/session/session'
import { SecurityLevel } from '../approvals/parts'
import type { AgentFields } from './agent_fields'
import { useTools, type ToolRow } from './tool_rows'

interface AgentToolsProps {
  fields: AgentFields
  access: Access
  disabled: boolean
  /** Whether the agent belongs to the catalogue, which is the operators'. */
  catalogue: boolean
  onChange: (part: Partial<AgentFields>) => void
}

/** Which tools an agent has, and which dangerous ones it may use without asking. */
export function AgentTools({ fields, access, disabled, catalogue, onChange }: AgentToolsProps) {
  const { t } = useTranslation('admin')
  const { data: tools, error } = useTools()
  if (!tools) return error ? <ProblemLine error={error} /> : <Loading />
  const known = new Set(tools.map((tool) => tool.name))
  const gone = fields.tools_enabled.filter((name) => !known.has(name))
  // Those of the loop are there always.
  const offered = tools.filter((tool) => tool.category !== 'control' || fields.tools_enabled.includes(tool.name))
  const categories = [...new Set(offered.map((tool) => tool.category))].toSorted()
  const without = (names: string[], name: string) => names.filter((one) => one !== name)
  const line = (name: string, tool?: ToolRow) => {
    const has = fields.tools_enabled.includes(name)
    const stands = fields.standing_permissions.includes(name)
    // In an agent that others use, they stand for other people's approvals.
    const mayStand = !fields.is_public || stands || (catalogue ? access.is_operator : access.is_admin)
    return (
      <div key={name} className="choice-line">
        <label className="choice-main">
          <input
            type="checkbox"
            checked={has}
            disabled={disabled}
            onChange={() =>
              onChange({
                tools_enabled: has ? without(fields.tools_enabled, name) : [...fields.tools_enabled, name],
                ...(has ? { standing_permissions: without(fields.standing_permissions, name) } : {}),
              })
            }
          />
          <span>
            {tool && (
              <>
                <ExactWord text={tool.display_name} />{' '}
              </>
            )}
            <code className="admin-quiet">{name}</code>
          </span>
        </label>
        {tool ? <SecurityLevel level={tool.security_level} /> : <Badge tone="warn">{t('agents.goneTool')}</Badge>}
        {tool && !tool.is_enabled && <Badge tone="warn">{t('tools.disabled')}</Badge>}
        {tool?.requires_confirmation && <Badge>{t('tools.asksFirst')}</Badge>}
        {tool?.security_level === 'dangerous' && has && !tool.requires_confirmation && (
          <label title={mayStand ? undefined : t('agents.standingAdmins')}>
            <input
              type="checkbox"
              checked={stands}
              disabled={disabled || !mayStand}
              onChange={() =>
                onChange({
                  standing_permissions: stands
                    ? without(fields.standing_permissions, name)
                    : [...fields.standing_permissions, name],
                })
              }
            />
            {t('agents.standing')}
          </label>
        )}
      </div>
    )
  }
  return (
    <fieldset className="choice-groups">
      <legend>{t('agents.fields.tools_enabled')}</legend>
      <p className="field-hint">{t('agents.help.tools_enabled')}</p>
      {categories.map((category) => (
        <div key={category} className="choice-group">
          <h3>{category}</h3>
          {offered.filter((tool) => tool.category === category).map((tool) => line(tool.name, tool))}
        </div>
      ))}
      {gone.map((name) => line(name))}
    </fieldset>
  )
}
