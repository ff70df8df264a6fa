/** What the server says at run time: where Supabase is, and how one may sign in. Nothing secret is in it. */
export interface Config {
  supabase_url: string
  publishable_key: string
  version: string
  build: string | null
  /** Whether this server streams timelines; otherwise the screens ask Supabase again and again. */
  live: boolean
  sign_in: { password: boolean; sign_up: boolean; magic_link: boolean; providers: string[] }
}

export async function loadConfig(): Promise<Config> {
  const response = await fetch('/config.json', { cache: 'no-store' })
  if (!response.ok) throw new Error(`config.json: ${response.status}`)
  return (await response.json()) as Config
}
