import { useQuery } from '@tanstack/react-query'
import { useSession } from '@/session/session'
import { useServed } from './client'

/** How many calls wait for this person, over all tasks. */
export function useWaitingCount(): number {
  const { supabase } = useServed()
  const { session } = useSession()
  const { data } = useQuery({
    queryKey: ['waiting', 'count', session?.user.id],
    enabled: !!session,
    refetchInterval: 10_000,
    queryFn: async () => {
      const { count, error } = await supabase.from('waiting_executions').select('id', { count: 'exact', head: true })
      if (error) throw error
      return count ?? 0
    },
  })
  return data ?? 0
}
