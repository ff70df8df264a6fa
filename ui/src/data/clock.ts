import { useQuery } from '@tanstack/react-query'
import { useNow } from '@/kit/figures'
import { ask } from './ask'
import { useServed } from './client'

/** The database's time, renewed every so many milliseconds: what expires does so by that clock, and this machine's may be wrong. */
export function useServerNow(every: number): Date {
  const { supabase } = useServed()
  const now = useNow(every)
  const { data: ahead = 0 } = useQuery({
    queryKey: ['clock'],
    staleTime: 600_000,
    queryFn: async () => {
      const asked = Date.now()
      const { server_time: time } = (await ask(supabase.rpc('runtime_status'))) as unknown as { server_time: string }
      const off = new Date(time).getTime() - (asked + Date.now()) / 2
      // Less is the network's, and would make clocks jump.
      return Math.abs(off) < 2_000 ? 0 : off
    },
  })
  return new Date(now.getTime() + ahead)
}
