/** A row of `task_events`, as the stream and the table give it. */
export interface TaskEvent {
  id: number
  task_id: string
  kind: string
  payload: Record<string, unknown>
  created_at: string
}

/** A piece of the model's answer while it is made; gone when the answer is recorded. */
export interface Delta {
  step: number
  content: string
  thinking: string
  restart: boolean
}
