import { lazy } from 'react'
import type { View } from './view'

const Terminal = lazy(() => import('./terminal'))
const TerminalSession = lazy(() => import('./terminal_session'))
const Python = lazy(() => import('./python'))
const FileContent = lazy(() => import('./file_content'))
const FileChange = lazy(() => import('./file_change'))
const Page = lazy(() => import('./page'))
const Found = lazy(() => import('./found'))
const Rows = lazy(() => import('./table_rows'))
const Note = lazy(() => import('./note'))
export const Anything = lazy(() => import('./anything'))

/** A view per tool. A new tool without one is shown by its category's, or as data. */
const BY_TOOL = new Map<string, View>([
  ['shell_exec', Terminal],
  ['shell_view', TerminalSession],
  ['shell_input', TerminalSession],
  ['shell_kill', TerminalSession],
  ['python_exec', Python],
  ['file_read', FileContent],
  ['file_write', FileContent],
  ['file_edit', FileChange],
  ['file_list', Found],
  ['file_find', Found],
  ['web_search', Found],
  ['browser_navigate', Page],
  ['db_query', Rows],
  ['db_execute', Rows],
  ['message_ask', Note],
  ['message_notify', Note],
  ['plan_set', Note],
  ['plan_advance', Note],
  ['task_complete', Note],
])
const BY_CATEGORY = new Map<string, View>([['control', Note]])

export function viewOf(tool: string, category: string | undefined): View {
  return BY_TOOL.get(tool) ?? BY_CATEGORY.get(category ?? '') ?? Anything
}
