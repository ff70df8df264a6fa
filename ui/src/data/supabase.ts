import { AuthClient } from '@supabase/auth-js'
import { PostgrestClient } from '@supabase/postgrest-js'
import { StorageClient } from '@supabase/storage-js'
import type { SupabaseClient } from '@supabase/supabase-js'
import type { Config } from '@/config'
import type { Database } from '@/generated/database'

/** What the screens use of supabase-js: put together of its parts, without the realtime and functions clients. */
export type Supabase = Pick<SupabaseClient<Database>, 'auth' | 'from' | 'rpc' | 'storage'>

export const SESSION_KEY = 'agent-runtime.session'

/** Supabase as the person: the publishable key, and the person's own token once signed in. Row-level security decides. */
export function makeSupabase(config: Config): Supabase {
  const { supabase_url: url, publishable_key: key } = config
  const auth = new AuthClient({
    url: `${url}/auth/v1`,
    headers: { apikey: key, Authorization: `Bearer ${key}` },
    storageKey: SESSION_KEY,
    persistSession: true,
    autoRefreshToken: true,
    detectSessionInUrl: true,
    flowType: 'pkce',
  })
  const fetchAsPerson = asPerson(auth, key)
  const rest = new PostgrestClient<Database>(`${url}/rest/v1`, {
    headers: { apikey: key },
    fetch: fetchAsPerson,
    retry: false,
  })
  const storage = new StorageClient(`${url}/storage/v1`, { apikey: key }, fetchAsPerson)
  return {
    auth,
    from: rest.from.bind(rest),
    rpc: rest.rpc.bind(rest),
    storage,
  } as unknown as Supabase
}

/** `fetch` with the person's token. One that is refused is exchanged once; if that is refused too, the session is over. */
function asPerson(auth: InstanceType<typeof AuthClient>, key: string): typeof fetch {
  return async (input, init) => {
    const ask = (token: string | undefined) => {
      const headers = new Headers(init?.headers)
      headers.set('apikey', key)
      headers.set('Authorization', `Bearer ${token ?? key}`)
      return fetch(input, { ...init, headers })
    }
    const token = (await auth.getSession()).data.session?.access_token
    const answer = await ask(token)
    if (answer.status !== 401 || !token) return answer
    const now = (await auth.getSession()).data.session?.access_token
    // Another request has exchanged it meanwhile.
    if (now && now !== token) return ask(now)
    const { data, error } = await auth.refreshSession()
    if (data.session) return ask(data.session.access_token)
    // auth-js signs out by itself when a refresh token is refused; not when it has none to show.
    if (error && error.status !== undefined && error.status < 500) await auth.signOut({ scope: 'local' })
    return answer
  }
}
