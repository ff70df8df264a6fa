import { useTranslation } from 'react-i18next'
import type { TaskDraft } from './draft'
import type { Agent } from './rows'

interface Props {
  agents: Agent[] | undefined
  draft: TaskDraft
  onChange: (changed: Partial<TaskDraft>) => void
}

/** Which agent takes the task; what it is for stands below. */
export function AgentChoice({ agents, draft, onChange }: Props) {
  const { t } = useTranslation('tasks')
  const chosen = draft.agent ? agents?.find((agent) => agent.id === draft.agent) : agents?.[0]
  const isGone = !!draft.agent && !!agents && !chosen
  return (
    <div className="agent-choice">
      <select
        className="control"
        aria-label={t('new.agent')}
        aria-invalid={isGone || undefined}
        aria-describedby="new-task-agent"
        value={chosen?.id ?? draft.agent ?? ''}
        onChange={(event) => onChange({ agent: event.target.value })}
      >
        {isGone && <option value={draft.agent!}>…</option>}
        {!agents && <option value={draft.agent ?? ''}>…</option>}
        {agents?.map((agent) => (
          <option key={agent.id} value={agent.id}>
            {agent.name}
          </option>
        ))}
      </select>
      <p id="new-task-agent" className={isGone ? 'field-error' : 'agent-about'} role={isGone ? 'alert' : undefined}>
        {isGone ? t('new.goneAgent') : chosen?.description}
      </p>
    </div>
  )
}
