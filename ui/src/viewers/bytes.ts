import { Refused } from '@/data/problem'

const BUCKET = 'agent-files'
/** Over this, the browser's own digest would take too much memory: it wants all bytes at once. */
const AT_ONCE = 300_000_000

/** Whether the bytes are those that were recorded. */
export type Genuine = 'yes' | 'no' | 'unrecorded'

export interface Fetched {
  blob: Blob
  genuine: Genuine
  sha256: string
}

interface Request {
  supabaseUrl: string
  publishableKey: string
  token: string
  path: string
  size: number
  sha256: string | null
  onProgress: (loaded: number) => void
  signal: AbortSignal
}

/** The bytes of a file as the person, held against the recorded digest. Throws `Refused` and what fetch throws. */
export async function fetchBytes(request: Request): Promise<Fetched> {
  // Each part by itself: the client library leaves # and ? as they are.
  const path = request.path.split('/').map(encodeURIComponent).join('/')
  const response = await fetch(`${request.supabaseUrl}/storage/v1/object/${BUCKET}/${path}`, {
    headers: { authorization: `Bearer ${request.token}`, apikey: request.publishableKey },
    cache: 'no-store',
    signal: request.signal,
  })
  if (!response.ok) throw await refusal(response)
  const pieces: BlobPart[] = []
  let loaded = 0
  const reader = response.body!.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    pieces.push(value)
    loaded += value.byteLength
    request.onProgress(loaded)
  }
  // Never a type that a browser would open by itself.
  const blob = new Blob(pieces, { type: 'application/octet-stream' })
  return { blob, ...(await heldAgainst(blob, request.sha256)) }
}

async function heldAgainst(blob: Blob, recorded: string | null): Promise<{ genuine: Genuine; sha256: string }> {
  const sha256 = Array.from(await digestOf(blob), (byte) => byte.toString(16).padStart(2, '0')).join('')
  if (!recorded) return { genuine: 'unrecorded', sha256 }
  return { genuine: sha256 === recorded ? 'yes' : 'no', sha256 }
}

async function digestOf(blob: Blob): Promise<Uint8Array> {
  // Browsers digest on secure origins alone: not on a plain http address of another machine.
  if (globalThis.crypto?.subtle && blob.size <= AT_ONCE)
    return new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()))
  const { sha256 } = await import('@noble/hashes/sha2.js')
  const digest = sha256.create()
  const reader = blob.stream().getReader()
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop
    const { done, value } = await reader.read()
    if (done) return digest.digest()
    digest.update(value)
  }
}

/** Storage answers 400 with a body that says what it is. */
async function refusal(response: Response): Promise<Error> {
  const body = (await response.json().catch(() => ({}))) as {
    statusCode?: string | number
    error?: string
    message?: string
  }
  const status = Number(body.statusCode ?? response.status) || response.status
  const message = body.message ?? `Storage answers ${response.status}`
  if (status === 404 || body.error === 'not_found') return new Refused('notFound', message)
  if (status === 401 || /jwt|exp/i.test(body.error ?? '')) return new Refused('signedOut', message)
  if (status === 403) return new Refused('denied', message)
  if (status >= 500 || status === 429) return new Refused('unavailable', message)
  return Object.assign(new Error(message), { status })
}

/** Hand bytes to the browser to save. They are never opened in this page's origin. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(new Blob([blob], { type: 'application/octet-stream' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  document.body.append(link)
  link.click()
  link.remove()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
