import { useEffect, useState } from 'react'
import type { Line } from './tokens'

/** Longer texts, and lines that no person wrote, are shown plain. */
const LONGEST = 300_000
const LONGEST_LINE = 5_000
const PATIENCE_MS = 4_000

let worker: Worker | null = null
let lastId = 0

/** The lines of `text` with the words that are coloured; null when there are none, or it would take too long. */
export function highlight(text: string, language: string, signal: AbortSignal): Promise<Line[] | null> {
  worker ??= new Worker(new URL('./highlight_worker.ts', import.meta.url), { type: 'module' })
  const asked = worker
  const id = ++lastId
  return new Promise((resolve) => {
    const finish = (lines: Line[] | null) => {
      clearTimeout(timer)
      asked.removeEventListener('message', onMessage)
      asked.removeEventListener('error', onError)
      signal.removeEventListener('abort', onAbort)
      resolve(lines)
    }
    const giveUp = () => {
      asked.terminate()
      if (worker === asked) worker = null
      finish(null)
    }
    const onMessage = ({ data }: MessageEvent<{ id: number; lines: Line[] | null }>) => {
      if (data.id === id) finish(data.lines)
    }
    const onError = () => giveUp()
    const onAbort = () => finish(null)
    const timer = setTimeout(giveUp, PATIENCE_MS)
    asked.addEventListener('message', onMessage)
    asked.addEventListener('error', onError)
    signal.addEventListener('abort', onAbort)
    asked.postMessage({ id, text, language })
  })
}

/** The highlighted lines of a text as soon as they are there, null until then. */
export function useHighlight(text: string, language: string | null): Line[] | null {
  const [found, setFound] = useState<{ text: string; lines: Line[] | null }>({ text: '', lines: null })
  useEffect(() => {
    if (!language || text.length > LONGEST || hasLongLine(text)) return
    const ends = new AbortController()
    void highlight(text, language, ends.signal).then((lines) => ends.signal.aborted || setFound({ text, lines }))
    return () => ends.abort()
  }, [text, language])
  return found.text === text ? found.lines : null
}

function hasLongLine(text: string): boolean {
  for (let at = 0; at < text.length;) {
    const end = text.indexOf('\n', at)
    if ((end < 0 ? text.length : end) - at > LONGEST_LINE) return true
    if (end < 0) return false
    at = end + 1
  }
  return false
}
