import { QueryClient } from '@tanstack/react-query'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { createContext, useContext } from 'react'
import type { Config } from '@/config'
import type { Database } from '@/generated/database'
import { problemOf } from './problem'

export type Supabase = SupabaseClient<Database>

/** Supabase as the person: the publishable key, and the person's own token once signed in. Row-level security decides. */
export function makeSupabase(config: Config): Supabase {
  return createClient<Database>(config.supabase_url, config.publishable_key, {
    auth: {
      persistSession: true,
      autoRefreshToken: true,
      detectSessionInUrl: true,
      storageKey: 'agent-runtime.session',
      flowType: 'pkce',
    },
  })
}

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
