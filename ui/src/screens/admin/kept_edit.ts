import { useCallback, useMemo } from 'react'
import { useDraft } from '@/data/drafts'

/** What a person has changed of a thing and not saved: the fields, and the thing as it was when the person began. */
export interface Edit<Fields, Base> {
  fields: Fields
  base: Base
}

/** Kept in this browser over refusals, reloads and the end of a session. */
export function useKeptEdit<Fields, Base>(
  key: string,
): [Edit<Fields, Base> | null, (edit: Edit<Fields, Base>) => void, () => void] {
  const [text, setText, forget] = useDraft(key)
  const edit = useMemo(() => {
    try {
      return text ? (JSON.parse(text) as Edit<Fields, Base>) : null
    } catch {
      return null
    }
  }, [text])
  const keep = useCallback((next: Edit<Fields, Base>) => setText(JSON.stringify(next)), [setText])
  return [edit, keep, forget]
}
