import { useEffect, useRef } from 'react'

interface Acts {
  toggle: () => void
  move: (by: 1 | -1) => void
  /** One event on or back. */
  one: (by: 1 | -1) => void
  toBegin: () => void
  toEnd: () => void
}

/** Space plays, arrows go by steps, with Shift by events; wherever the focus is, but for fields and what has these keys itself. */
export function useKeys(acts: Acts): void {
  const now = useRef(acts)
  useEffect(() => {
    now.current = acts
  })
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
      const target = event.target as HTMLElement
      const isScrubber = target.matches('input[type="range"]')
      if (!isScrubber && target.closest('input, textarea, select, [role="dialog"], [role="menu"], [role="tablist"]'))
        return
      if (event.key === ' ' && target.closest('button, a, summary')) return
      // What scrolls keeps its keys, but for space, and for arrows to the side.
      const scrolls = target.closest('[role="region"][tabindex]')
      if (scrolls && ['Home', 'End'].includes(event.key)) return
      const { toggle, move, one, toBegin, toEnd } = now.current
      const by = event.shiftKey ? one : move
      const keys: Record<string, () => void> = {
        ' ': toggle,
        ArrowLeft: () => by(-1),
        ArrowRight: () => by(1),
        Home: toBegin,
        End: toEnd,
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
