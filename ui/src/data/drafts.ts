import { useCallback, useState } from 'react'

const PREFIX = 'agent-runtime.draft.'

/** What a person typed and has not sent: kept in this browser over reloads, sign-outs and crashes. */
export function useDraft(key: string): [string, (text: string) => void, () => void] {
  const [text, setText] = useState(() => localStorage.getItem(PREFIX + key) ?? '')
  const change = useCallback(
    (next: string) => {
      setText(next)
      try {
        if (next) localStorage.setItem(PREFIX + key, next)
        else localStorage.removeItem(PREFIX + key)
      } catch {
        // A full store keeps what is on the screen, at least.
      }
    },
    [key],
  )
  const clear = useCallback(() => change(''), [change])
  return [text, change, clear]
}
