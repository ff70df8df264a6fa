import type { ComponentType } from 'react'
import type { Call, SeenFile } from '@/live/fold'

/** What a view of the workbench is given of a call. */
export interface ViewProps {
  taskId: string
  call: Call
  args: Record<string, unknown>
  /** What the tool recorded beside its words; null while there is none, or too much of it. */
  data: Record<string, unknown> | null
  /** What the model read of it. */
  content: string | null
  /** Files that the call made. */
  files: SeenFile[]
}

export type View = ComponentType<ViewProps>

export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
export const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
