import { useQuery } from '@tanstack/react-query'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'

/** A row of `tools`, without its code and configuration. */
export interface ToolRow {
  id: string
  name: string
  display_name: string
  description: string
  category: string
  function_schema: unknown
  implementation_type: 'python' | 'shell' | 'api' | 'builtin' | 'mcp'
  is_enabled: boolean
  requires_confirmation: boolean
  approvals_required: number
  security_level: 'safe' | 'moderate' | 'dangerous'
  retry_class: 'pure' | 'idempotent' | 'keyed' | 'unsafe'
  taints: boolean
  outward: boolean
  destination: string | null
  timeout_seconds: number
  output_limit_bytes: number
  usage_count: number
  tenant_id: string | null
}

const COLUMNS =
  'id, name, display_name, description, category, function_schema, implementation_type, is_enabled, requires_confirmation, ' +
  'approvals_required, security_level, retry_class, taints, outward, destination, timeout_seconds, output_limit_bytes, ' +
  'usage_count, tenant_id'

/** The platform's tools and the team's own. */
export function useTools() {
  const { supabase } = useServed()
  return useQuery({
    queryKey: ['admin', 'tools'],
    queryFn: async () =>
      (await ask(supabase.from('tools').select(COLUMNS).order('name').limit(1_000))) as unknown as ToolRow[],
  })
}
