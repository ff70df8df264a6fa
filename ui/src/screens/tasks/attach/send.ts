import { Refused } from '@/data/problem'
import { storageKey } from './names'

const BUCKET = 'agent-files'

export interface Target {
  supabaseUrl: string
  key: string
  token: () => Promise<string | null>
}

export interface Sent {
  path: string
  sha256: string
}

/**
 * Store a file's bytes as the person, and say which they were. `path` is free for each try; a taken one with as many bytes is
 * this very upload, whose answer was lost. Throws `Refused`, and `AbortError` when `signal` says so.
 */
export async function send(
  file: File,
  folder: string,
  name: string,
  target: Target,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<Sent> {
  const path = `${folder}/${storageKey(name)}`
  // One that fails ends the other.
  const both = new AbortController()
  const stop = () => both.abort(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    const [sha256] = await Promise.all([digest(file, both.signal), upload(file, path, target, both.signal, onProgress)])
    return { path, sha256 }
  } finally {
    both.abort()
    signal.removeEventListener('abort', stop)
  }
}

function digest(file: File, signal: AbortSignal): Promise<string> {
  const worker = new Worker(new URL('./hash_worker.ts', import.meta.url), { type: 'module' })
  return new Promise<string>((resolve, reject) => {
    worker.addEventListener('message', ({ data }: MessageEvent<{ sha256?: string; error?: string }>) => {
      if (data.sha256) resolve(data.sha256)
      else reject(new Refused('invalid', data.error ?? ''))
    })
    worker.addEventListener('error', () => reject(new Refused('unavailable', 'hash_worker')))
    signal.addEventListener('abort', () => reject(aborted()), { once: true })
    worker.postMessage(file)
  }).finally(() => worker.terminate())
}

async function upload(
  file: File,
  path: string,
  { supabaseUrl, key, token }: Target,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const bearer = await token()
  if (!bearer) throw new Refused('signedOut', '')
  const url = `${supabaseUrl}/storage/v1/object/${BUCKET}/${path}`
  const headers = { apikey: key, Authorization: `Bearer ${bearer}` }
  const answer = await post(
    url,
    file,
    { ...headers, 'Content-Type': file.type || 'application/octet-stream', 'x-upsert': 'false' },
    signal,
    onProgress,
  )
  if (answer.status >= 200 && answer.status < 300) return
  const problem = refusal(answer)
  if (problem.kind !== 'conflict') throw problem
  const there = await fetch(url, { method: 'HEAD', headers, signal })
  if (!there.ok || Number(there.headers.get('content-length')) !== file.size) throw problem
}

/** fetch cannot say how far an upload is. */
function post(
  url: string,
  body: File,
  headers: Record<string, string>,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(aborted())
    const request = new XMLHttpRequest()
    request.open('POST', url)
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
    request.upload.addEventListener('progress', (event) => onProgress(event.loaded))
    request.addEventListener('load', () => resolve({ status: request.status, text: request.responseText }))
    request.addEventListener('error', () => reject(new Refused(navigator.onLine ? 'unavailable' : 'offline', '')))
    request.addEventListener('abort', () => reject(aborted()))
    signal.addEventListener('abort', () => request.abort(), { once: true })
    request.send(body)
  })
}

/** Storage answers 400 for most refusals; the status that is meant is in the body. */
function refusal({ status, text }: { status: number; text: string }): Refused {
  let said = text.slice(0, 200)
  let meant = status
  try {
    const body = JSON.parse(text) as { statusCode?: string | number; message?: string; error?: string }
    said = body.message ?? body.error ?? said
    meant = Number(body.statusCode) || status
  } catch {
    // Not Storage, but something before it.
  }
  if (meant === 409) return new Refused('conflict', said)
  if (meant === 413) return new Refused('invalid', said)
  if (meant === 401) return new Refused('signedOut', said)
  if (meant === 403) return new Refused('denied', said)
  return new Refused(meant >= 500 || meant === 429 ? 'unavailable' : 'invalid', said)
}

const aborted = () => new DOMException('cancelled', 'AbortError')
