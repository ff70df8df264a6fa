import { useState, type MouseEvent, type ReactNode } from 'react'
import { Confirm } from '@/kit/dialog'

interface Question {
  title: string
  text: string
  confirm: string
  danger?: boolean
}

/**
 * Lets no single key do something: a button that was pressed by a key asks first, one that was pressed by a pointer does not.
 * Returns a handler for buttons, and the question to render.
 */
export function useDeliberate(): [(question: Question, act: () => void) => (event: MouseEvent) => void, ReactNode] {
  const [asked, setAsked] = useState<(Question & { act: () => void }) | null>(null)
  const handler = (question: Question, act: () => void) => (event: MouseEvent) => {
    if (event.detail > 0) act()
    else setAsked({ ...question, act })
  }
  const dialog = (
    <Confirm
      open={asked !== null}
      onOpenChange={(open) => open || setAsked(null)}
      title={asked?.title}
      description={asked?.text}
      confirm={asked?.confirm ?? ''}
      danger={asked?.danger}
      onConfirm={() => {
        asked?.act()
        setAsked(null)
      }}
    />
  )
  return [handler, dialog]
}
