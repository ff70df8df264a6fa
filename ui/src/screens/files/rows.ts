import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { ask } from '@/data/ask'
import type { Supabase } from '@/data/client'
import { Refused } from '@/data/problem'
import type { Database } from '@/generated/database'

export type CurrentFile = Database['public']['Views']['current_files']['Row']
export type FileVersion = Pick<
  Database['public']['Tables']['files']['Row'],
  | 'id'
  | 'task_id'
  | 'filename'
  | 'original_filename'
  | 'file_path'
  | 'file_size'
  | 'mime_type'
  | 'file_hash'
  | 'version'
  | 'kind'
  | 'link_target'
  | 'is_stored'
  | 'is_temporary'
  | 'expires_at'
  | 'execution_id'
  | 'uploaded_by'
  | 'created_at'
>

const PAGE = 50
const VERSIONS_A_PAGE = 1_000
/** A task with more versions than this shows its newest. */
const VERSIONS_AT_MOST = 20_000
const COLUMNS =
  'id, task_id, filename, original_filename, file_path, file_size, mime_type, file_hash, version, kind, link_target, is_stored, is_temporary, expires_at, execution_id, uploaded_by, created_at'

/** What one may filter by: endings of names. */
export const GROUPS = {
  documents: ['md', 'txt', 'pdf', 'html', 'docx', 'odt', 'rtf'],
  tables: ['csv', 'tsv', 'xlsx', 'ods', 'parquet'],
  images: ['png', 'jpg', 'jpeg', 'gif', 'webp', 'avif', 'svg'],
  code: ['py', 'js', 'ts', 'sh', 'sql', 'r', 'ipynb', 'css', 'rs', 'go', 'java', 'c', 'cpp'],
  data: ['json', 'jsonl', 'yaml', 'yml', 'xml', 'toml', 'sqlite', 'db'],
} as const
export type Group = keyof typeof GROUPS

export interface Search {
  words: string
  group: Group | null
  from: 'given' | 'made' | null
}

/** Every task's current files, the newest first, page by page: after the last one's time and id. */
export function currentFilesQuery(supabase: Supabase, person: string | undefined, search: Search) {
  return infiniteQueryOptions({
    queryKey: ['files', 'current', person, search],
    initialPageParam: null as { at: string; id: string } | null,
    getNextPageParam: (page: CurrentFile[]) => {
      const last = page[page.length - 1]
      return page.length < PAGE || !last ? null : { at: last.created_at, id: last.id }
    },
    queryFn: async ({ pageParam, signal }) => {
      let request = supabase
        .from('current_files')
        .select('*')
        .order('created_at', { ascending: false })
        .order('id', { ascending: false })
        .limit(PAGE)
      if (pageParam)
        request = request.or(
          `created_at.lt."${pageParam.at}",and(created_at.eq."${pageParam.at}",id.lt.${pageParam.id})`,
        )
      for (const word of search.words.split(/\s+/).filter(Boolean)) request = request.ilike('filename', like(word))
      if (search.group) request = request.or(GROUPS[search.group].map((end) => `filename.ilike.*.${end}`).join(','))
      if (search.from === 'given') request = request.not('uploaded_by', 'is', null)
      if (search.from === 'made') request = request.not('execution_id', 'is', null)
      return (await ask(request.abortSignal(signal))) as CurrentFile[]
    },
  })
}

/** A word as a pattern that is found anywhere, in which nothing is a wildcard. */
function like(word: string): string {
  return `%${word.replace(/[\\%_]/g, (sign) => `\\${sign}`).replace(/\*/g, '_')}%`
}

export function taskTitlesQuery(supabase: Supabase, ids: string[]) {
  return queryOptions({
    queryKey: ['files', 'titles', ids],
    enabled: ids.length > 0,
    staleTime: 60_000,
    queryFn: async () => {
      const rows = await ask(supabase.from('tasks').select('id, title').in('id', ids))
      return Object.fromEntries(rows.map((row) => [row.id, row.title]))
    },
  })
}

export interface TaskFiles {
  title: string
  status: string
  versions: FileVersion[]
}

/** A task's title and every version of its files. Throws `Refused('notFound')` for a task that one does not see. */
export function taskFilesQuery(supabase: Supabase, person: string | undefined, taskId: string) {
  return queryOptions<TaskFiles>({
    queryKey: ['files', 'task', person, taskId],
    // What still runs goes on making files.
    refetchInterval: ({ state }) =>
      state.data && ['pending', 'running', 'waiting', 'paused'].includes(state.data.status) ? 8_000 : false,
    queryFn: async ({ signal }): Promise<TaskFiles> => {
      if (!/^[0-9a-f-]{36}$/i.test(taskId)) throw new Refused('notFound', '')
      const [task] = await ask(supabase.from('tasks').select('id, title, status').eq('id', taskId).abortSignal(signal))
      if (!task) throw new Refused('notFound', '')
      const versions: FileVersion[] = []
      for (;;) {
        const rows = (await ask(
          supabase
            .from('files')
            .select(COLUMNS)
            .eq('task_id', taskId)
            .order('created_at', { ascending: false })
            .order('id', { ascending: false })
            .range(versions.length, versions.length + VERSIONS_A_PAGE - 1)
            .abortSignal(signal),
        )) as FileVersion[]
        versions.push(...rows)
        if (rows.length < VERSIONS_A_PAGE || versions.length >= VERSIONS_AT_MOST) break
      }
      return { title: task.title, status: task.status, versions }
    },
  })
}

/** Which call wrote a version. */
export function executionQuery(supabase: Supabase, id: string | null) {
  return queryOptions({
    queryKey: ['files', 'execution', id],
    enabled: id !== null,
    staleTime: Infinity,
    queryFn: async () => {
      const [row] = await ask(supabase.from('tool_executions').select('id, step, tools(name)').eq('id', id!))
      if (!row) throw new Refused('notFound', '')
      return { step: row.step, tool: (row.tools as { name?: string } | null)?.name ?? '' }
    },
  })
}
