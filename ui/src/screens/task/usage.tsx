import { Gauge } from 'lucide-react'
import { useMemo, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { bytes, duration, number, useNow } from '@/kit/figures'
import { Progress } from '@/kit/progress'
import type { Timeline } from '@/live/fold'
import type { TaskRow } from './data'
import { useMessageRow } from './row_store'

const LIMITS = ['steps', 'tool_calls', 'wall_seconds', 'model_tokens', 'output_tokens', 'output_bytes'] as const
type Limit = (typeof LIMITS)[number]

interface Figures {
  used: Record<Limit, number>
  limits: Partial<Record<Limit, number>>
  read: number
  written: number
  modelSeconds: number
  toolSeconds: number
  context: { used: number; all: number | null } | null
  model: string | null
  /** The same of the tasks that it gave away, by name. */
  children: ((key: string) => number) | null
}

function useFigures(timeline: Timeline, task: TaskRow | null): Figures {
  const running = timeline.status === 'running'
  const now = useNow(running ? 1_000 : 60_000)
  const lastTurn = useMemo(() => {
    for (let index = timeline.entries.length - 1; index >= 0; index -= 1) {
      const entry = timeline.entries[index]!
      if (entry.type === 'message' && entry.role === 'assistant') return entry.id
    }
    return null
  }, [timeline.entries])
  const turn = useMessageRow(lastTurn)
  const of = (key: string) => Number(task?.usage[key] ?? 0)
  const children = task?.usage.children as Record<string, number> | undefined
  const atWork =
    (task?.active_seconds ?? 0) +
    (running && task?.claimed_at ? Math.max(0, (now.getTime() - new Date(task.claimed_at).getTime()) / 1000) : 0)
  const prompt = turn?.metadata.usage?.prompt_tokens
  return {
    used: {
      steps: of('steps'),
      tool_calls: of('tool_calls'),
      wall_seconds: atWork,
      model_tokens: of('prompt_tokens') + of('output_tokens'),
      output_tokens: of('output_tokens'),
      output_bytes: of('output_bytes'),
    },
    limits: tightest(task?.limits, task?.agents?.configuration?.limits),
    read: of('prompt_tokens'),
    written: of('output_tokens'),
    modelSeconds: of('model_seconds'),
    toolSeconds: of('tool_seconds'),
    context: prompt ? { used: prompt, all: turn?.metadata.num_ctx ?? null } : null,
    model: turn?.metadata.model ?? null,
    children: children ? (key) => Number(children[key] ?? 0) : null,
  }
}

function tightest(...places: (Record<string, number> | null | undefined)[]): Figures['limits'] {
  const limits: Figures['limits'] = {}
  for (const place of places)
    for (const name of LIMITS) {
      const value = Number(place?.[name])
      if (value > 0) limits[name] = Math.min(value, limits[name] ?? Infinity)
    }
  return limits
}

/** The figures that one looks at, in a line that opens the rest. */
export function UsageLine({
  timeline,
  task,
  onOpen,
}: {
  timeline: Timeline
  task: TaskRow | null
  onOpen: () => void
}) {
  const { t } = useTranslation('task')
  const { used, context } = useFigures(timeline, task)
  if (!task) return null
  return (
    <button type="button" className="usage-line" onClick={onOpen}>
      <Gauge size={14} aria-hidden />
      <span className="visually-hidden">{t('usage.label')}: </span>
      <span>{t('usage.step', { step: number(used.steps) })}</span>
      <span>
        {number(used.model_tokens)} {t('usage.tokens').toLowerCase()}
      </span>
      {context?.all && (
        <span>
          {t('usage.context').toLowerCase()} {number((100 * context.used) / context.all)} %
        </span>
      )}
      <span>{duration(used.wall_seconds)}</span>
    </button>
  )
}

/** What the task has used, and how near it is to its limits. */
export function UsagePanel({ timeline, task }: { timeline: Timeline; task: TaskRow | null }) {
  const { t } = useTranslation('task')
  const figures = useFigures(timeline, task)
  const { used, limits, context } = figures
  const bound = LIMITS.filter((name) => limits[name] !== undefined)
  return (
    <div className="usage">
      <dl className="usage-figures">
        <Figure name={t('usage.steps')} value={number(used.steps)} />
        <Figure name={t('usage.toolCalls')} value={number(used.tool_calls)} />
        <Figure name={t('usage.tokensRead')} value={number(figures.read)} />
        <Figure name={t('usage.tokensWritten')} value={number(figures.written)} />
        <Figure name={t('usage.modelSeconds')} value={duration(figures.modelSeconds)} />
        <Figure name={t('usage.toolSeconds')} value={duration(figures.toolSeconds)} />
        <Figure name={t('usage.activeSeconds')} value={duration(used.wall_seconds)} />
        <Figure name={t('usage.outputBytes')} value={bytes(used.output_bytes)} />
        {figures.children && (
          <>
            <Figure name={t('usage.childTasks')} value={number(figures.children('tasks'))} />
            <Figure name={t('usage.childSteps')} value={number(figures.children('steps'))} />
            <Figure
              name={t('usage.childTokens')}
              value={number(figures.children('prompt_tokens') + figures.children('output_tokens'))}
            />
          </>
        )}
        {figures.model && <Figure name={t('usage.model')} value={figures.model} />}
      </dl>
      {context && (
        <Near
          name={t('usage.context')}
          text={
            context.all
              ? t('usage.contextOf', { used: number(context.used), all: number(context.all) })
              : t('usage.contextUsed', { used: number(context.used) })
          }
          part={context.all ? context.used / context.all : null}
        />
      )}
      <h3>{t('usage.limits')}</h3>
      {bound.length === 0 && <p className="usage-note">{t('usage.noLimits')}</p>}
      {bound.map((name) => (
        <Near
          key={name}
          name={t(`usage.limit.${name}`)}
          text={t('usage.of', { used: shown(name, used[name]), limit: shown(name, limits[name]!) })}
          part={used[name] / limits[name]!}
        />
      ))}
    </div>
  )
}

const shown = (name: Limit, value: number) =>
  name === 'wall_seconds' ? duration(value) : name === 'output_bytes' ? bytes(value) : number(value)

function Figure({ name, value }: { name: string; value: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}

function Near({ name, text, part }: { name: string; text: string; part: number | null }) {
  return (
    <div className={`near ${part !== null && part >= 0.8 ? 'near-full' : ''}`}>
      <div className="near-line">
        <span>{name}</span>
        <span>{text}</span>
      </div>
      {part !== null && <Progress value={Math.min(100, Math.round(100 * part))} label={name} />}
    </div>
  )
}
