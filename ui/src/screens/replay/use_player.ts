import { useCallback, useEffect, useRef, useState } from 'react'
import type { Tape } from './tape'
import { placeOf, stopAt, type Track } from './track'

export const SPEEDS = [0.5, 1, 2, 5, 10, 20] as const

export interface Player {
  /** The event after which the replay stands. */
  index: number
  playing: boolean
  speed: number
  setSpeed: (speed: number) => void
  seek: (index: number) => void
  toggle: () => void
  /** One step of the model on or back; with errors only, one error. */
  move: (by: 1 | -1) => void
}

/** Moves a replay along its track. */
export function usePlayer(tape: Tape, track: Track, first: number, errorsOnly: boolean): Player {
  const [index, setIndex] = useState(first)
  const [playing, setPlaying] = useState(false)
  const [speed, setSpeed] = useState(1)
  const position = useRef(0)
  const current = useRef(first)

  const stand = useCallback((next: number) => {
    current.current = next
    setIndex(next)
  }, [])

  useEffect(() => {
    if (!playing) return
    position.current = track.positions[placeOf(track, current.current)] ?? 0
    let before = performance.now()
    let frame = requestAnimationFrame(function tick(now) {
      // A tab in the background stands still rather than jump.
      position.current += Math.min(250, now - before) * speed
      before = now
      const next = track.indexes[stopAt(track, position.current)] ?? current.current
      if (next !== current.current) stand(next)
      if (position.current >= track.length) setPlaying(false)
      else frame = requestAnimationFrame(tick)
    })
    return () => cancelAnimationFrame(frame)
  }, [playing, speed, track, stand])

  const seek = useCallback(
    (next: number) => {
      const there = Math.max(0, Math.min(tape.length - 1, next))
      position.current = track.positions[placeOf(track, there)] ?? 0
      stand(there)
    },
    [tape, track, stand],
  )
  const toggle = useCallback(() => {
    setPlaying((was) => {
      if (!was && current.current >= (track.indexes[track.indexes.length - 1] ?? 0)) stand(track.indexes[0] ?? 0)
      return !was
    })
  }, [track, stand])
  const move = useCallback(
    (by: 1 | -1) => {
      setPlaying(false)
      const stops = errorsOnly ? tape.errors : tape.stops
      const next =
        by > 0 ? stops.find((stop) => stop > current.current) : stops.findLast((stop) => stop < current.current)
      seek(next ?? (by > 0 ? tape.length - 1 : 0))
    },
    [tape, errorsOnly, seek],
  )
  return { index, playing, speed, setSpeed, seek, toggle, move }
}
