import type { TFunction } from 'i18next'
import type { Call } from '@/live/fold'

/** Tools that act on the task itself: what they do has lines of its own in the timeline. */
export const CONTROL = new Set(['plan_set', 'plan_advance', 'message_notify', 'message_ask', 'task_complete'])

const KNOWN = [
  'shell_exec',
  'file_read',
  'file_write',
  'file_edit',
  'file_list',
  'file_find',
  'web_search',
  'web_fetch',
  'http_request',
  'browser_navigate',
  'browser_view',
  'browser_click',
  'browser_type',
  'browser_select',
  'browser_upload',
  'browser_scroll',
  'browser_back',
  'browser_tabs',
  'browser_wait',
  'browser_screenshot',
  'browser_download',
  'db_query',
  'db_execute',
  'spawn_tasks',
  'retry_tasks',
  'plan_set',
  'plan_advance',
  'message_notify',
  'message_ask',
  'task_complete',
] as const
type Known = (typeof KNOWN)[number]
const isKnown = (tool: string): tool is Known => (KNOWN as readonly string[]).includes(tool)

/** "Reading", "Read": what a call does in plain words, to be followed by `objectOf`. */
export function verbOf(t: TFunction<'task'>, { tool, status }: Pick<Call, 'tool' | 'status'>): string {
  const time = status === 'completed' ? 'done' : 'now'
  return t(`call.${isKnown(tool) ? tool : 'using'}.${time}`)
}

/** "data.csv": what it does it to, in short; of an unknown tool its name. */
export function objectOf(
  t: TFunction<'task'>,
  tool: string,
  args: Record<string, unknown> | undefined,
  name?: string,
): string {
  if (!isKnown(tool)) return name || tool
  const of = (key: string) => (typeof args?.[key] === 'string' ? oneLine(args[key], 200) : '')
  switch (tool) {
    case 'file_read':
    case 'file_write':
    case 'file_edit':
      return of('path')
    case 'file_list':
      return ['', '.', './'].includes(of('path')) ? t('call.workspace') : of('path')
    case 'file_find':
      return [of('pattern'), of('contains') && `/${of('contains')}/`].filter(Boolean).join(' ')
    case 'web_search':
      return of('query') && `“${of('query')}”`
    case 'browser_click':
    case 'browser_type':
    case 'browser_select':
    case 'browser_upload':
      return of('on')
    case 'browser_wait':
      return of('text') && `“${of('text')}”`
    case 'http_request':
      return [of('method') || 'GET', of('url').replace(/^https?:\/\//, '')].join(' ')
    case 'web_fetch':
    case 'browser_navigate':
    case 'browser_download':
      return of('url').replace(/^https?:\/\//, '')
    case 'spawn_tasks':
      return Array.isArray(args?.items) ? t('call.tasks', { count: args.items.length }) : ''
    default:
      return ''
  }
}

/** The rest of the arguments that is worth a line: a command, a statement; of an unknown tool all, shortened. */
export function detailOf(tool: string, args: Record<string, unknown> | undefined): string {
  if (!args) return ''
  const of = (key: string) => (typeof args[key] === 'string' ? oneLine(args[key], 300) : '')
  if (tool === 'shell_exec') return of('command')
  if (tool === 'db_query' || tool === 'db_execute') return of('sql')
  if (tool === 'spawn_tasks') return of('instructions')
  return isKnown(tool) ? '' : argumentsText(args)
}

/** `path="sales.csv" limit=10`, each value and the whole shortened. */
export function argumentsText(args: Record<string, unknown>): string {
  const pairs = Object.entries(args)
    .slice(0, 12)
    .map(([key, value]) => `${oneLine(key, 40)}=${shortValue(value)}`)
  return oneLine(pairs.join(' '), 300)
}

function shortValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(oneLine(value, 80))
  if (Array.isArray(value)) return value.length > 5 ? `[…${value.length}]` : oneLine(JSON.stringify(value), 80)
  return oneLine(JSON.stringify(value) ?? '', 80)
}

/** Blanks made one, marks that turn the direction of writing taken out, and cut. */
export function oneLine(text: string, most: number): string {
  const line = text
    .slice(0, 4 * most)
    .replace(/[\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff]/g, '')
    // oxlint-disable-next-line no-control-regex
    .replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, ' ')
    .trim()
  return line.length > most ? `${line.slice(0, most - 1)}…` : line
}

/** The few lines of a result that a card shows. */
export function previewOf(tool: string, content: string): string {
  const lines = content
    .slice(0, 20_000)
    .split('\n')
    .filter((line) => line.trim())
  if (tool.startsWith('browser_'))
    return [
      /^title: (.*)$/m.exec(content)?.[1] ?? '',
      ...lines.filter((line) => !/^(URL|title|status|tab|window|part): /.test(line)).slice(0, 1),
    ]
      .map((line) => line.slice(0, 200))
      .join('\n')
      .trim()
  if (tool === 'shell_exec') {
    const said = lines.filter(
      (line, index) => !(index === 0 && line.startsWith('exit code')) && line !== 'stdout:' && line !== 'stderr:',
    )
    return said
      .slice(-3)
      .map((line) => line.slice(0, 200))
      .join('\n')
  }
  return lines
    .slice(0, 2)
    .map((line) => line.slice(0, 200))
    .join('\n')
}
