import { useCallback, useEffect, useReducer } from 'react'
import { useServed } from '@/data/client'
import { Refused } from '@/data/problem'
import { useToken } from '@/session/session'
import { fetchBytes, type Fetched } from './bytes'

/** The part of a file's row that its bytes are found by. */
export interface FileRef {
  id: string
  filename: string
  file_path: string
  file_size: number
  mime_type: string | null
  file_hash: string | null
  version: number
  is_stored?: boolean | null
}

export type Bytes =
  | { state: 'idle' }
  | { state: 'loading'; loaded: number }
  | { state: 'ready'; fetched: Fetched }
  | { state: 'problem'; error: unknown }

/** What was fetched last, so that going to and fro between versions asks nothing anew. Bytes of a version never change. */
const KEPT = 40_000_000
const kept = new Map<string, Fetched>()

function keep(key: string, fetched: Fetched): void {
  kept.set(key, fetched)
  let total = 0
  for (const [name, { blob }] of [...kept].reverse()) {
    total += blob.size
    if (total > KEPT && name !== key) kept.delete(name)
  }
}

/** Fetch a file's bytes as the person, once: for a viewer, a diff or a download. Aborted by the signal. */
export function useFetchFile() {
  const { config } = useServed()
  const token = useToken()
  return useCallback(
    async (file: FileRef, signal: AbortSignal, onProgress: (loaded: number) => void = () => {}): Promise<Fetched> => {
      const person = await token()
      if (!person) throw new Refused('signedOut', '')
      // Another person in this browser must not be shown what this one may see.
      const key = `${person.split('.')[1] ?? ''}/${file.id}`
      const known = kept.get(key)
      if (known) return known
      const fetched = await fetchBytes({
        supabaseUrl: config.supabase_url,
        publishableKey: config.publishable_key,
        token: person,
        path: file.file_path,
        size: file.file_size,
        sha256: file.file_hash,
        onProgress,
        signal,
      })
      if (fetched.genuine !== 'no') keep(key, fetched)
      return fetched
    },
    [config, token],
  )
}

/** A file's bytes while `wanted`, with progress. `again` asks anew after a problem. */
export function useBytes(file: FileRef, wanted: boolean): { bytes: Bytes; again: () => void } {
  const fetchFile = useFetchFile()
  const [{ key, bytes }, take] = useReducer(
    (_: { key: string; bytes: Bytes }, next: { key: string; bytes: Bytes }) => next,
    { key: '', bytes: { state: 'idle' } },
  )
  const [attempt, again] = useReducer((count: number) => count + 1, 0)
  const { id } = file
  useEffect(() => {
    if (!wanted) return
    const ends = new AbortController()
    let shown = 0
    take({ key: id, bytes: { state: 'loading', loaded: 0 } })
    fetchFile(file, ends.signal, (loaded) => {
      // A large file comes in thousands of pieces.
      if (performance.now() - shown < 100) return
      shown = performance.now()
      take({ key: id, bytes: { state: 'loading', loaded } })
    }).then(
      (fetched) => ends.signal.aborted || take({ key: id, bytes: { state: 'ready', fetched } }),
      (error: unknown) => ends.signal.aborted || take({ key: id, bytes: { state: 'problem', error } }),
    )
    return () => ends.abort()
    // The rest of a version's row does not change.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [id, wanted, attempt, fetchFile])
  return { bytes: key === id && wanted ? bytes : { state: wanted ? 'loading' : 'idle', loaded: 0 }, again }
}
