import { useCallback, useEffect, useState } from 'react'

export const LIMITS = ['steps', 'tool_calls', 'wall_seconds', 'model_tokens', 'output_tokens', 'output_bytes'] as const
export type Limit = (typeof LIMITS)[number]

/** What a person has typed into the form. Numbers are as they were typed. */
export interface TaskDraft {
  prompt: string
  /** Null: the one that is taken when nobody is named. */
  agent: string | null
  title: string
  priority: number
  limits: Partial<Record<Limit, string>>
  /** As the browser's own control has it, in local time: 2026-01-31T09:30. */
  runAt: string
  /** What a link's text took the place of. */
  before: string
}

export const EMPTY: TaskDraft = { prompt: '', agent: null, title: '', priority: 1, limits: {}, runAt: '', before: '' }
const PREFIX = 'agent-runtime.draft.task.'
const SENT = 'agent-runtime.sent'

function read(key: string): TaskDraft {
  try {
    return { ...EMPTY, ...(JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<TaskDraft>) }
  } catch {
    return EMPTY
  }
}

/** The person's draft, kept over reloads, sign-outs and crashes. In another tab it is another's until one of them is sent. */
export function useTaskDraft(owner: string) {
  const key = PREFIX + owner
  const [draft, setDraft] = useState(() => read(key))
  const change = useCallback(
    (changed: Partial<TaskDraft>) =>
      setDraft((old) => {
        const next = { ...old, ...changed }
        try {
          localStorage.setItem(key, JSON.stringify(next))
        } catch {
          // A full store keeps what is on the screen, at least.
        }
        return next
      }),
    [key],
  )
  const clear = useCallback(() => {
    localStorage.removeItem(key)
    window.dispatchEvent(new CustomEvent(SENT, { detail: key }))
  }, [key])
  useEffect(() => {
    // Also where the form was closed and opened again while it was being sent.
    const done = (event: Event) => {
      if ((event as CustomEvent<string>).detail === key) setDraft(EMPTY)
    }
    window.addEventListener(SENT, done)
    return () => window.removeEventListener(SENT, done)
  }, [key])
  useEffect(() => {
    // Sent by another tab that showed the same: here it is done, too.
    const sent = (event: StorageEvent) => {
      if (event.key !== key || event.newValue) return
      setDraft((old) => (event.oldValue === JSON.stringify(old) ? EMPTY : old))
    }
    window.addEventListener('storage', sent)
    return () => window.removeEventListener('storage', sent)
  }, [key])
  return { draft, change, clear }
}

/** What `submit_task` takes as `p_limits`. Throws nothing: what is no number above 0 is told apart by `badLimits`. */
export function limitsOf(draft: TaskDraft): Partial<Record<Limit, number>> {
  return Object.fromEntries(
    LIMITS.filter((name) => draft.limits[name]?.trim()).map((name) => [name, Number(draft.limits[name])]),
  )
}

export function badLimits(draft: TaskDraft): Limit[] {
  return LIMITS.filter((name) => {
    const typed = draft.limits[name]?.trim()
    return !!typed && !(Number(typed) > 0 && Number.isFinite(Number(typed)))
  })
}

/** How many of the options are not as they are by themselves. */
export function optionsSet(draft: TaskDraft): number {
  const limits = LIMITS.filter((name) => draft.limits[name]?.trim()).length
  return limits + Number(!!draft.title.trim()) + Number(draft.priority !== 1) + Number(!!draft.runAt)
}
