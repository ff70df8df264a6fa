import { useEffect, useRef, type RefObject } from 'react'
import { useTranslation } from 'react-i18next'
import { Dialog } from '@/kit/dialog'
import type { ListHandle } from './timeline_list'

interface Acts {
  list: RefObject<ListHandle | null>
  write: () => void
  help: () => void
}

/** The keys of the screen, wherever the focus is, but for fields and dialogs. */
export function useShortcuts(acts: Acts): void {
  const now = useRef(acts)
  useEffect(() => {
    now.current = acts
  })
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
      const target = event.target as HTMLElement
      if (target.closest('input, textarea, select, [contenteditable], [role="dialog"], [role="menu"]')) return
      const { list, write, help } = now.current
      const line = target.closest<HTMLElement>('[data-key]') === target ? target : null
      const keys: Record<string, () => void> = {
        ...(line && {
          ArrowDown: () => list.current?.move(1),
          ArrowUp: () => list.current?.move(-1),
          Enter: () => list.current?.open(Number(line.dataset.index)),
        }),
        j: () => list.current?.move(1),
        k: () => list.current?.move(-1),
        G: () => list.current?.toEnd(),
        g: () => list.current?.toBegin(),
        m: write,
        '?': help,
      }
      const act = keys[event.key]
      if (!act) return
      event.preventDefault()
      act()
    }
    window.addEventListener('keydown', press)
    return () => window.removeEventListener('keydown', press)
  }, [])
}

export function Shortcuts({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const { t } = useTranslation('task')
  const keys = [
    [['j', '↓'], t('keys.next')],
    [['k', '↑'], t('keys.previous')],
    [['Enter'], t('keys.open')],
    [['G'], t('keys.end')],
    [['g'], t('keys.begin')],
    [['m'], t('keys.message')],
    [['?'], t('keys.help')],
    [['Esc'], t('keys.close')],
  ] as const
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={t('keys.title')}>
      <dl className="keys">
        {keys.map(([all, what]) => (
          <div key={what}>
            <dt>
              {all.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  )
}
