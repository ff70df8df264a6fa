import { lazy } from 'react'
import type { View } from './view'

const Terminal = lazy(() => import('./terminal'))
const FileContent = lazy(() => import('./file_content'))
const FileChange = lazy(() => import('./file_change'))
const Page = lazy(() => import('./page'))
const Found = lazy(() => import('./found'))
const Answered = lazy(() => import('./answered'))
const Rows = lazy(() => import('./table_rows'))
const Children = lazy(() => import('./children'))
const Note = lazy(() => import('./note'))
export const Anything = lazy(() => import('./anything'))

/** A view per tool. A new tool without one is shown by its category's, or as data. */
const BY_TOOL = new Map<string, View>([
  ['shell_exec', Terminal],
  ['file_read', FileContent],
  ['file_write', FileContent],
  ['file_edit', FileChange],
  ['file_list', Found],
  ['file_find', Found],
  ['web_search', Found],
  ['web_fetch', Answered],
  ['http_request', Answered],
  ['browser_navigate', Page],
  ['browser_view', Page],
  ['browser_click', Page],
  ['browser_type', Page],
  ['browser_select', Page],
  ['browser_upload', Page],
  ['browser_scroll', Page],
  ['browser_back', Page],
  ['browser_tabs', Page],
  ['browser_wait', Page],
  ['browser_screenshot', Page],
  ['browser_download', Page],
  ['db_query', Rows],
  ['db_execute', Rows],
  ['spawn_tasks', Children],
  ['retry_tasks', Children],
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
