import { createContext, useContext } from 'react'
import type { ToolName } from './data'

/** What every line of the timeline may need to know. */
interface Facts {
  taskId: string
  isMine: boolean
  person: (id: string | null) => { name: string | null; isMe: boolean }
  tool: (name: string) => ToolName | undefined
  onOpen: (call: string) => void
  /** The call whose question stands above the box for the answer. */
  question: string | null
}

export const FactsContext = createContext<Facts | null>(null)

export function useFacts(): Facts {
  const facts = useContext(FactsContext)
  if (!facts) throw new Error('no facts here')
  return facts
}
