import { useCallback, useMemo } from 'react'
import { useDraft } from '@/data/drafts'
import type { FormDraft } from '@/kit/form_draft'

/** What a person typed about a call and has not sent. `digest` names the arguments that `edited` was made from. */
export interface Kept {
  reason: string
  result: string
  edited: FormDraft | null
  digest: string
}

const NOTHING: Kept = { reason: '', result: '', edited: null, digest: '' }

/** Kept in this browser over refusals, reloads and the end of a session. */
export function useKept(id: string): [Kept, (change: Partial<Kept>) => void, () => void] {
  const [text, setText, clear] = useDraft(`decide.${id}`)
  const kept = useMemo(() => read(text), [text])
  const change = useCallback(
    (part: Partial<Kept>) => {
      const next = { ...kept, ...part }
      setText(next.reason || next.result || next.edited ? JSON.stringify(next) : '')
    },
    [kept, setText],
  )
  return [kept, change, clear]
}

function read(text: string): Kept {
  if (!text) return NOTHING
  try {
    return { ...NOTHING, ...(JSON.parse(text) as Partial<Kept>) }
  } catch {
    return NOTHING
  }
}
