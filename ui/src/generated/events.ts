// Made by `make types` from agent_runtime/events.py. Change that, not this.

/** The task was filed. */
export interface TaskCreated {
  status: 'pending' | 'running' | 'waiting' | 'paused' | 'completed' | 'failed' | 'cancelled'
  title: string
  /** 1 to 5; the highest is claimed first. */
  priority: number
}

/** The task went from one state to another. */
export interface TaskMoved {
  status: 'pending' | 'running' | 'waiting' | 'paused' | 'completed' | 'failed' | 'cancelled'
  previous: 'pending' | 'running' | 'waiting' | 'paused' | 'completed' | 'failed' | 'cancelled'
  /** What it waits for; only of a waiting task. */
  wait_reason?: 'answer' | 'approval' | 'doubt' | 'children' | 'schedule'
  /** Who runs it; only of a running task. */
  worker_id?: string
  /** Runs that a crash ended. */
  attempts: number
  error_message?: string
  /** It is not claimed before this time, ISO 8601. */
  run_after?: string
}

/** A part of the plan. */
export interface Phase {
  title: string
}

/** The plan, or where the run is in it. */
export interface TaskPlanned {
  plan: Phase[]
  /** Counts from 1. */
  current_phase: number
  total_phases: number
  /** 0 to 100. */
  progress_percentage: number
}

/** A person asked something of the task while it was running. */
export interface ControlAsked {
  /** `resume` takes a pause back that has not begun. */
  request: 'cancel' | 'pause' | 'resume'
}

/** A line for the person: of the agent, or of a worker that gave the task back. */
export interface Notice {
  text: string
}

/** A message was added; its text is in `messages`. */
export interface MessageCreated {
  message_id: string
  /** Its place in the conversation. */
  seq: number
  role: 'user' | 'assistant' | 'system' | 'tool'
  /** The step that it belongs to; none for what a person wrote. */
  step?: number
}

/** A tool call was made, or went from one state to another; its arguments and result are in `tool_executions`. */
export interface ExecutionMoved {
  execution_id: string
  /** The tool's name. */
  tool: string
  status: 'pending' | 'awaiting_approval' | 'running' | 'completed' | 'failed' | 'denied' | 'in_doubt' | 'cancelled'
  /** Counts from 1. */
  step: number
  /** Its place among the calls of the step, from 0. */
  call_index: number
  execution_time_ms?: number
  /** Up to 500 characters of it. */
  error_message?: string
  /** So many people must approve it; none where nobody is asked. */
  approvals_needed?: number
  /** It would go out of a task that has read something from outside; `gate` of its row says where to, and what. */
  gated?: boolean
}

/** A person decided about a tool call. */
export interface ExecutionDecided {
  execution_id: string
  /** approved or denied before the call; happened or did_not_happen of one that was in doubt. */
  verdict: 'approved' | 'denied' | 'happened' | 'did_not_happen'
  user_id?: string
  /** Up to 500 characters of it. */
  reason?: string
}

/** There is a new version of a file of the workspace. */
export interface FileCreated {
  file_id: string
  /** Its path in the workspace. */
  filename: string
  /** Counts from 1. */
  version: number
  /** In bytes. */
  file_size: number
  /** The call that wrote it; none for what a person gave. */
  execution_id?: string
}

/** A step removed a file of the workspace. */
export interface FileRemoved {
  /** Of the row that says so. */
  file_id: string
  /** Its path in the workspace. */
  filename: string
  version: number
  file_size: number
  /** The call that removed it. */
  execution_id?: string
}

/** A row of `task_events`. */
export interface EventOf<Kind extends string, Payload> {
  /** Order of id is order of commit within a task. */
  id: number
  task_id: string
  kind: Kind
  payload: Payload
  created_at: string
}

/** One of them, told apart by `kind`. */
export type TaskEvent =
  | EventOf<'task.created', TaskCreated>
  | EventOf<'task.status', TaskMoved>
  | EventOf<'task.plan', TaskPlanned>
  | EventOf<'task.control', ControlAsked>
  | EventOf<'task.notice', Notice>
  | EventOf<'message.created', MessageCreated>
  | EventOf<'execution.status', ExecutionMoved>
  | EventOf<'execution.decision', ExecutionDecided>
  | EventOf<'file.created', FileCreated>
  | EventOf<'file.removed', FileRemoved>

export type EventKind = TaskEvent['kind']
