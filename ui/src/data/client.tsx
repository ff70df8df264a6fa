import { QueryClient } from '@tanstack/react-query'
import { createContext, useContext } from 'react'
import type { Config } from '@/config'
import { problemOf } from './problem'
import type { Supabase } from './supabase'

export { makeSupabase, type Supabase } from './supabase'

export function makeQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        // What is refused stays refused; who does not answer is asked again, ever more slowly.
        retry: (count, error) => ['unavailable', 'offline'].includes(problemOf(error).kind) && count < 3,
        refetchOnReconnect: 'always',
      },
      mutations: { networkMode: 'always' },
    },
  })
}

interface Served {
  config: Config
  supabase: Supabase
}

export const ServedContext = createContext<Served | null>(null)

/** The configuration and Supabase: `const { supabase } = useServed()`. */
export function useServed(): Served {
  const served = useContext(ServedContext)
  if (!served) throw new Error('no Supabase here')
  return served
}
