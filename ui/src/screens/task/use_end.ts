import { useCallback, useEffect, useRef, useState } from 'react'

// So near to the end one means to see what comes.
export const END_PX = 48

/**
 * A frame that is scrolled, and whether it follows its end. Only a person leaves it, by moving up: that the end moved away, because
 * several rows came at once or one turned out taller than it was thought to be, says nothing about what the person wants to see.
 */
export function useEnd() {
  const frame = useRef<HTMLDivElement>(null)
  const [atEnd, setAtEnd] = useState(true)
  const follows = useRef(true)
  // Under a finger nothing moves by itself.
  const held = useRef(false)
  const lastTop = useRef(0)

  const follow = useCallback((does: boolean) => {
    follows.current = does
    setAtEnd(does)
  }, [])
  /** To the end, if it is followed: for after every change of what is in the frame. */
  const keep = useCallback(() => {
    const element = frame.current
    if (!element || !follows.current || held.current) return
    element.scrollTo({ top: element.scrollHeight })
    lastTop.current = element.scrollTop
  }, [])
  /** See where the frame stands now. */
  const note = useCallback(() => {
    const element = frame.current
    if (!element) return
    const { scrollHeight, scrollTop, clientHeight } = element
    const left = scrollHeight - scrollTop - clientHeight
    const isUp = scrollTop < lastTop.current - 1
    lastTop.current = scrollTop
    if (left <= 1 || (left < END_PX && !isUp)) follow(true)
    else if (left >= END_PX && isUp) follow(false)
  }, [follow])

  useEffect(() => {
    const element = frame.current
    if (!element) return
    const turn = ({ deltaY }: WheelEvent) => {
      if (deltaY < 0 && element.scrollTop > 0) follow(false)
    }
    const letGo = () => {
      held.current = false
      note()
      keep()
    }
    // What is touched may be gone when it is let go of: then only it is told.
    const hold = ({ target }: TouchEvent) => {
      held.current = true
      target?.addEventListener('touchend', letGo, { once: true })
      target?.addEventListener('touchcancel', letGo, { once: true })
    }
    element.addEventListener('scroll', note, { passive: true })
    element.addEventListener('wheel', turn, { passive: true })
    element.addEventListener('touchstart', hold, { passive: true })
    // The box below may grow by a question, or the window shrink.
    const resized = new ResizeObserver(keep)
    resized.observe(element)
    return () => {
      element.removeEventListener('scroll', note)
      element.removeEventListener('wheel', turn)
      element.removeEventListener('touchstart', hold)
      resized.disconnect()
    }
  }, [follow, keep, note])

  return { frame, atEnd, follow, keep, note }
}
