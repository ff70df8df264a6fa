import { queryOptions } from '@tanstack/react-query'
import type { Supabase } from '@/data/client'
import { Refused } from '@/data/problem'
import { READ_AT_ONCE } from '@/live/follow'
import { readerOf } from '@/live/read_events'
import { Tape } from './tape'

/** A run on tape, up to now. Throws `Refused('notFound')` for a task that one does not see. */
export function tapeQuery(supabase: Supabase, person: string | undefined, taskId: string) {
  return queryOptions<Tape>({
    queryKey: ['replay', 'tape', person, taskId],
    staleTime: 30_000,
    // While one watches, the tape does not change under one's hands.
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
    structuralSharing: false,
    queryFn: async ({ signal }) => {
      const reader = readerOf(supabase)
      const events = []
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop
        const page = await reader.read(taskId, events[events.length - 1]?.id ?? 0, signal)
        events.push(...page)
        if (page.length < READ_AT_ONCE) break
      }
      if (!events.length) throw new Refused('notFound', '')
      return new Tape(events)
    },
  })
}
