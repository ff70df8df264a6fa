import { Tabs as Radix } from 'radix-ui'
import type { ReactNode } from 'react'
import './tabs.css'

export interface Tab {
  value: string
  label: ReactNode
  content: ReactNode
}

/** Tabs by arrow keys. Only the open one's content is there. */
export function Tabs({
  value,
  onChange,
  tabs,
  label,
}: {
  value: string
  onChange: (value: string) => void
  tabs: Tab[]
  label: string
}) {
  return (
    <Radix.Root value={value} onValueChange={onChange} className="tabs">
      <Radix.List className="tab-list" aria-label={label}>
        {tabs.map((tab) => (
          <Radix.Trigger key={tab.value} value={tab.value} className="tab">
            {tab.label}
          </Radix.Trigger>
        ))}
      </Radix.List>
      {tabs.map((tab) => (
        <Radix.Content key={tab.value} value={tab.value} className="tab-content">
          {tab.content}
        </Radix.Content>
      ))}
    </Radix.Root>
  )
}
