/** Where something is wrong: a code, and what to do about it in the database's own words. */
export interface Troubled {
  problem?: string
  remedy?: string
}

export interface Worker extends Troubled {
  id: string
  host: string
  pid: number
  version: string
  capacity: number
  transport: string
  state: string
  running: number
  started_at: string
  heartbeat_at: string
  health: { model_url?: string; error?: string | null } | null
  missing: string[]
}

interface ChainEnd {
  chain_seq: number
  hash: string
  created_at: string
}

/** What `runtime_health()` says. */
export interface Health {
  server_time: string
  schema_version: number
  scope: 'platform' | 'tenant'
  workers: Worker[]
  model: Troubled & { reachable: boolean | null; stand_in: boolean; missing: string[] }
  queue: Troubled & {
    pending: number
    scheduled: number
    oldest_pending_seconds: number | null
    running: number
    overdue_leases: number
    paused: number
    waiting: Record<string, number>
  }
  reap: Troubled & { last_at: string | null }
  audit: Troubled & { enabled: boolean; head: ChainEnd | null; platform_head: ChainEnd | null }
  sizes: {
    files_bytes?: number | null
    database_bytes?: number
    tables?: Record<string, { bytes: number; rows_estimated: number }>
  }
}
