import { useTranslation } from 'react-i18next'
import type { TaskDraft } from './draft'
import type { Agent } from './rows'

interface Props {
  agents: Agent[] | undefined
  draft: TaskDraft
  onChange: (changed: Partial<TaskDraft>) => void
}

/** Which agent takes the task. */
export function AgentChoice({ agents, draft, onChange }: Props) {
  const { t } = useTranslation('tasks')
  const { chosen, isGone } = choice(agents, draft)
  return (
    <select
      className="control agent-choice"
      aria-label={t('new.agent')}
      aria-invalid={isGone || undefined}
      aria-describedby="new-task-agent"
      value={chosen?.id ?? draft.agent ?? ''}
      onChange={(event) => onChange({ agent: event.target.value })}
    >
      {(isGone || !agents) && <option value={draft.agent ?? ''}>…</option>}
      {agents?.map((agent) => (
        <option key={agent.id} value={agent.id}>
          {agent.name}
        </option>
      ))}
    </select>
  )
}

/** What the chosen agent is for, or that it is gone. */
export function AgentAbout({ agents, draft }: Pick<Props, 'agents' | 'draft'>) {
  const { t } = useTranslation('tasks')
  const { chosen, isGone } = choice(agents, draft)
  return (
    <p
      id="new-task-agent"
      className={isGone ? 'agent-about field-error' : 'agent-about'}
      role={isGone ? 'alert' : undefined}
    >
      {isGone ? t('new.goneAgent') : chosen?.description}
    </p>
  )
}

function choice(agents: Agent[] | undefined, draft: TaskDraft) {
  const chosen = draft.agent ? agents?.find((agent) => agent.id === draft.agent) : agents?.[0]
  return { chosen, isGone: !!draft.agent && !!agents && !chosen }
}
