import { useTranslation } from 'react-i18next'
import { Card } from '@/kit/card'
import { Field } from '@/kit/field'
import { Switch } from '@/kit/switch'
import type { Access } from '@/session/session'
import { LIMITS, type AgentFields, type WrongField } from './agent_fields'
import { AgentOutward } from './agent_outward'
import { AgentTools } from './agent_tools'

interface AgentFormProps {
  fields: AgentFields
  access: Access
  disabled: boolean
  catalogue?: boolean
  wrong: ReadonlySet<WrongField>
  onChange: (fields: AgentFields) => void
}

/** Everything that an agent is made of. */
export function AgentForm({ fields, access, disabled, catalogue = false, wrong, onChange }: AgentFormProps) {
  const { t } = useTranslation('admin')
  const set = (part: Partial<AgentFields>) => onChange({ ...fields, ...part })
  const text = (name: 'name' | 'model_name' | 'temperature' | 'max_tokens' | 'memory_limit') => (
    <Field
      label={t(`agents.fields.${name}`)}
      hint={t(`agents.help.${name}`)}
      error={wrong.has(name as WrongField) && t(name === 'name' ? 'needed' : 'noNumber')}
    >
      {(control) => (
        <input
          {...control}
          disabled={disabled}
          autoComplete="off"
          inputMode={name === 'name' || name === 'model_name' ? undefined : 'decimal'}
          value={fields[name]}
          onChange={(event) => set({ [name]: event.target.value })}
        />
      )}
    </Field>
  )
  return (
    <>
      <Card>
        <div className="admin-fields admin-wide">
          {text('name')}
          {text('model_name')}
        </div>
        <Field label={t('agents.fields.description')} hint={t('agents.help.description')}>
          {(control) => (
            <textarea
              {...control}
              rows={2}
              disabled={disabled}
              value={fields.description}
              onChange={(event) => set({ description: event.target.value })}
            />
          )}
        </Field>
        <Field
          label={t('agents.fields.system_prompt')}
          hint={t('agents.help.system_prompt')}
          error={wrong.has('system_prompt') && t('needed')}
        >
          {(control) => (
            <textarea
              {...control}
              rows={10}
              disabled={disabled}
              value={fields.system_prompt}
              onChange={(event) => set({ system_prompt: event.target.value })}
            />
          )}
        </Field>
        <div className="admin-fields admin-wide">
          <Switch
            label={t('agents.fields.is_active')}
            hint={t('agents.help.is_active')}
            checked={fields.is_active}
            disabled={disabled}
            onChange={(is_active) => set({ is_active })}
          />
          <Switch
            label={t('agents.fields.is_public')}
            hint={t('agents.help.is_public')}
            checked={fields.is_public}
            disabled={disabled}
            onChange={(is_public) => set({ is_public })}
          />
        </div>
      </Card>
      <Card>
        <AgentTools fields={fields} access={access} disabled={disabled} catalogue={catalogue} onChange={set} />
      </Card>
      <Card title={t('agents.fields.outward_permissions')}>
        <AgentOutward
          fields={fields}
          access={access}
          disabled={disabled}
          catalogue={catalogue}
          wrong={wrong.has('permitting')}
          onChange={set}
        />
      </Card>
      <Card title={t('agents.modelTitle')}>
        <div className="admin-fields">
          {text('temperature')}
          {text('max_tokens')}
          {text('memory_limit')}
          <Switch
            label={t('agents.fields.memory_enabled')}
            hint={t('agents.help.memory_enabled')}
            checked={fields.memory_enabled}
            disabled={disabled}
            onChange={(memory_enabled) => set({ memory_enabled })}
          />
        </div>
      </Card>
      <Card title={t('limits.title')}>
        <p className="field-hint">{t('limits.agent')}</p>
        <LimitFields
          limits={fields.limits}
          disabled={disabled}
          wrong={(name) => wrong.has(`limits.${name}`)}
          onChange={(limits) => set({ limits })}
        />
      </Card>
      <Card>
        <Field
          label={t('agents.fields.configuration')}
          hint={t('agents.help.configuration')}
          error={wrong.has('other') && t('noObject')}
        >
          {(control) => (
            <textarea
              {...control}
              className="control schema-json"
              rows={3}
              spellCheck={false}
              disabled={disabled}
              value={fields.other}
              onChange={(event) => set({ other: event.target.value })}
            />
          )}
        </Field>
      </Card>
    </>
  )
}

/** A number for each limit; nothing for none. Limits that this screen does not know are shown by their names. */
export function LimitFields({
  limits,
  disabled,
  wrong,
  onChange,
}: {
  limits: Record<string, string>
  disabled: boolean
  wrong: (name: string) => boolean
  onChange: (limits: Record<string, string>) => void
}) {
  const { t } = useTranslation('admin')
  const names = [...LIMITS, ...Object.keys(limits).filter((name) => !(LIMITS as readonly string[]).includes(name))]
  return (
    <div className="admin-fields">
      {names.map((name) => {
        const known = LIMITS.find((one) => one === name)
        return (
          <Field
            key={name}
            label={known ? t(`limits.names.${known}`) : name}
            hint={known && t(`limits.units.${known}`)}
            error={wrong(name) && t('noNumber')}
          >
            {(control) => (
              <input
                {...control}
                disabled={disabled}
                inputMode="numeric"
                autoComplete="off"
                placeholder={t('limits.none')}
                value={limits[name] ?? ''}
                onChange={(event) => {
                  const { [name]: _old, ...others } = limits
                  onChange(event.target.value ? { ...others, [name]: event.target.value } : others)
                }}
              />
            )}
          </Field>
        )
      })}
    </div>
  )
}
