import { useQuery } from '@tanstack/react-query'
import type { Config } from '@/config'
import { useServed } from '@/data/client'
import { Refused } from '@/data/problem'
import type { Call } from '@/live/fold'
import { useToken } from '@/session/session'

interface Detail {
  args: Record<string, unknown>
  original: Record<string, unknown> | null
  data: Record<string, unknown> | null
}

/** A call's row as a whole, or how much of it came before it was too much. */
export type Read = { detail: Detail } | { tooLarge: number }

// A result of this size is still drawn without a pause; a larger one is for a file.
const MOST_BYTES = 3_000_000

function addressOf(config: Config, callId: string): string {
  return `${config.supabase_url}/rest/v1/tool_executions?select=input_parameters,original_parameters,output_result&id=eq.${callId}`
}

async function fetchRow(config: Config, token: string | null, callId: string, signal?: AbortSignal): Promise<Response> {
  if (!token) throw new Refused('signedOut', '')
  const response = await fetch(addressOf(config, callId), {
    headers: { apikey: config.publishable_key, authorization: `Bearer ${token}` },
    signal,
  })
  if (!response.ok) throw { status: response.status, ...(await response.json().catch(() => ({}))) }
  return response
}

/** What a call was given and what it brought, read in pieces so that too much of it never stands in memory. */
export function useDetail(call: Call) {
  const { config } = useServed()
  const token = useToken()
  return useQuery({
    queryKey: ['call', call.id, call.lastEvent],
    staleTime: Infinity,
    gcTime: 60_000,
    placeholderData: (old: Read | undefined, query) => (query?.queryKey[1] === call.id ? old : undefined),
    queryFn: async ({ signal }): Promise<Read> => {
      const response = await fetchRow(config, await token(), call.id, signal)
      const reader = response.body!.getReader()
      const pieces: Uint8Array<ArrayBuffer>[] = []
      let size = 0
      for (;;) {
        const { done, value } = await reader.read()
        if (done) break
        pieces.push(value)
        size += value.length
        if (size > MOST_BYTES) {
          void reader.cancel()
          return { tooLarge: size }
        }
      }
      const rows = JSON.parse(await new Blob(pieces).text()) as Record<string, unknown>[]
      const row = rows[0]
      if (!row) throw new Refused('notFound', '')
      return {
        detail: {
          args: (row.input_parameters ?? {}) as Detail['args'],
          original: row.original_parameters as Detail['original'],
          data: dataOf(row.output_result as Detail['data']),
        },
      }
    },
  })
}

/** What the tool recorded: a worker keeps it beside the words and the effect. */
function dataOf(output: Detail['data']): Detail['data'] {
  if (typeof output?.content !== 'string' || !output.data || typeof output.data !== 'object') return output
  return { ...output.data, effect: output.effect ?? null }
}

/** Save all of it as a file, without reading what is in it. */
export function useSaveAll(call: Call): () => Promise<void> {
  const { config } = useServed()
  const token = useToken()
  return async () => {
    const blob = await (await fetchRow(config, await token(), call.id)).blob()
    saveText(blob, `${call.tool}-${call.id.slice(0, 8)}.json`)
  }
}

export function saveText(content: Blob | string, name: string): void {
  const address = URL.createObjectURL(
    typeof content === 'string' ? new Blob([content], { type: 'text/plain' }) : content,
  )
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}
