import { ask } from '@/data/ask'
import type { Supabase } from '@/data/client'
import { problemOf } from '@/data/problem'
import type { TaskEvent } from './events'
import { READ_AT_ONCE, TokenRefused, type Reader } from './follow'

/** A task's events from Supabase, as the person. */
export function readerOf(supabase: Supabase): Reader {
  return {
    read: (taskId, last, signal) =>
      asking(
        supabase
          .from('task_events')
          .select('id, task_id, kind, payload, created_at')
          .eq('task_id', taskId)
          .gt('id', last)
          .order('id')
          .limit(READ_AT_ONCE)
          // Whoever follows asks again in its own time, and says meanwhile that nobody answers.
          .retry(false)
          .abortSignal(signal),
      ) as unknown as Promise<TaskEvent[]>,
    exists: async (taskId, signal) =>
      (await asking(supabase.from('tasks').select('id').eq('id', taskId).retry(false).abortSignal(signal))).length > 0,
  }
}

async function asking<T>(request: Parameters<typeof ask<T>>[0]): Promise<NonNullable<T>> {
  try {
    return await ask(request)
  } catch (error) {
    // An address that is no id is one of nothing.
    if ((error as { code?: string }).code === '22P02') return [] as unknown as NonNullable<T>
    throw problemOf(error).kind === 'signedOut' ? new TokenRefused() : error
  }
}
