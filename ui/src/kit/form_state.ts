import { createContext, useContext, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { valueOf, type FormDraft } from './form_draft'
import { wrongIn, type Schema, type Wrong } from './schema'

/** What every field of a form needs. */
export interface FormState {
  root: Schema
  draft: FormDraft
  disabled: boolean
  errorAt: (place: string) => string | undefined
  touch: (place: string) => void
  change: (draft: FormDraft) => void
}

export const FormContext = createContext<FormState | null>(null)

export function useForm(): FormState {
  return useContext(FormContext)!
}

/** What is wrong with a draft that can be read. */
export function useWrong(schema: Schema, draft: FormDraft): Wrong[] {
  return useMemo(() => {
    const now = valueOf(draft)
    return 'value' in now ? wrongIn(schema, now.value) : []
  }, [schema, draft])
}

/** What keeps a draft from being sent, in words; undefined when nothing does. */
export function useFormProblem(schema: Schema, draft: FormDraft | null): string | undefined {
  const { t } = useTranslation('form')
  const words = useWrongWords()
  return useMemo(() => {
    if (!draft) return undefined
    const now = valueOf(draft)
    if ('unreadable' in now) return words.draft(draft)
    const wrong = wrongIn(schema, now.value)
    const [first] = wrong
    if (!first) return undefined
    return `${t('problems', { count: wrong.length })} ${first.at.slice(1) || t('json')}: ${words.wrong(first)}`
  }, [schema, draft, t, words])
}

export function useWrongWords() {
  const { t } = useTranslation('form')
  return useMemo(() => {
    const draftWords = (draft: FormDraft): string => {
      const now = valueOf(draft)
      if (!('unreadable' in now)) return ''
      const { at: place, problem, detail } = now.unreadable
      return place ? t('unreadable.atField', { at: place.slice(1) }) : t(`unreadable.${problem}`, { detail })
    }
    return {
      wrong: (one: Wrong): string => {
        if (one.code === 'other') return one.text
        if (one.code === 'required' || one.code === 'unknown' || one.code === 'type' || one.code === 'choice')
          return t(`wrong.${one.code}`)
        return one.limit === undefined ? one.text : t(`wrong.${one.code}`, { limit: one.limit })
      },
      unreadable: (draft: FormDraft, place: string): string => {
        const now = valueOf({ ...draft, texts: { [place]: draft.texts[place]! } })
        return 'unreadable' in now ? t(`unreadable.${now.unreadable.problem}`, { detail: now.unreadable.detail }) : ''
      },
      draft: draftWords,
    }
  }, [t])
}
