import { useVirtualizer } from '@tanstack/react-virtual'
import { ArrowDown } from 'lucide-react'
import {
  useCallback,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  type Ref,
} from 'react'
import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'
import type { Timeline } from '@/live/fold'
import type { Streaming } from '@/live/use_timeline'
import { usePeople, useTools, type TaskRow } from './data'
import { EntryView } from './entry'
import { FactsContext } from './facts'
import { End, Answering } from './ends'
import { guessHeight, openQuestion, type Row } from './rows'
import { END_PX, useEnd } from './use_end'

/** What keys can ask of the list. */
export interface ListHandle {
  move: (by: 1 | -1) => void
  open: (index: number) => void
  toEnd: () => void
  toBegin: () => void
}

interface ListProps {
  taskId: string
  rows: Row[]
  timeline: Timeline
  streaming: Streaming | null
  task: TaskRow | null
  isMine: boolean
  /** The call that the workbench shows because it was chosen. */
  opened: string | null
  onOpen: (call: string) => void
  ref: Ref<ListHandle>
}

/** What happened, line by line: only what is near the view is drawn. Follows at the end, and stays put elsewhere. */
export function TimelineList({ taskId, rows, timeline, streaming, task, isMine, opened, onOpen, ref }: ListProps) {
  const { t } = useTranslation('task')
  const { frame, atEnd, follow, keep, note } = useEnd()
  // How much of the list the person has had before them.
  const [seen, setSeen] = useState(rows.length)
  const [active, setActive] = useState<Row['key'] | null>(null)
  const focusWanted = useRef(false)
  const index = useMemo(() => new Map(rows.map((row, at) => [row.key, at])), [rows])

  // Moved is only what nobody looks at: what is above the view, and, at its end, the list itself.
  // oxlint-disable-next-line react-hooks-js/incompatible-library react/incompatible-library
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: (at) => guessHeight(rows[at]),
    getItemKey: (at) => rows[at]?.key ?? at,
    overscan: 6,
    paddingStart: 8,
    paddingEnd: 12,
    anchorTo: 'end',
    scrollEndThreshold: END_PX,
    initialOffset: () => Number.MAX_SAFE_INTEGER,
  })

  const begun = useRef(false)
  useEffect(() => {
    if (begun.current || !rows.length) return
    begun.current = true
    const at = opened
      ? rows.findIndex((row) => 'entry' in row && row.entry.type === 'call' && row.entry.id === opened)
      : -1
    if (at < 0) return
    follow(false)
    virtual.scrollToIndex(at, { align: 'center' })
  }, [rows, opened, virtual, follow])

  useEffect(() => {
    const element = frame.current
    if (!element) return
    const focus = ({ target }: FocusEvent) => {
      const key = (target as HTMLElement).closest<HTMLElement>('[data-key]')?.dataset.key
      if (key) setActive(/^\d+$/.test(key) ? Number(key) : (key as Row['key']))
    }
    element.addEventListener('focusin', focus)
    return () => element.removeEventListener('focusin', focus)
  }, [frame])
  const height = virtual.getTotalSize()
  useLayoutEffect(keep, [keep, rows, height])
  useEffect(() => {
    if (atEnd) setSeen(rows.length)
  }, [atEnd, rows.length])

  const toEnd = useCallback(() => {
    follow(true)
    keep()
  }, [follow, keep])
  const goTo = useCallback(
    (at: number) => {
      const row = rows[at]
      if (!row) return
      focusWanted.current = true
      setActive(row.key)
      // Not to the end again before the row is there; then it shows whether that is at the end.
      follow(false)
      virtual.scrollToIndex(at, { align: 'auto' })
      note()
    },
    [rows, virtual, follow, note],
  )
  const move = useCallback(
    (by: 1 | -1) => {
      let at = active === null ? undefined : index.get(active)
      if (at === undefined) {
        // Begin with what is in view.
        const shown = virtual.range
        at = by > 0 ? (shown?.startIndex ?? 0) - 1 : (shown?.endIndex ?? rows.length - 1) + 1
      }
      // A message without words has no height, and nothing to go to.
      do at += by
      while (rows[at] && virtual.itemSizeCache.get(rows[at]!.key) === 0)
      goTo(at)
    },
    [active, index, rows, virtual, goTo],
  )
  const open = useCallback(
    (at: number) => {
      const row = rows[at]
      if (row && 'entry' in row && row.entry.type === 'call') onOpen(row.entry.id)
    },
    [rows, onOpen],
  )
  useImperativeHandle(ref, () => ({ move, open, toEnd, toBegin: () => goTo(0) }), [move, open, toEnd, goTo])

  const items = virtual.getVirtualItems()
  useEffect(() => {
    if (!focusWanted.current || active === null) return
    const element = frame.current?.querySelector<HTMLElement>(`[data-key="${active}"]`)
    if (!element) return
    focusWanted.current = false
    element.focus({ preventScroll: true })
  })

  const decisions = useMemo(
    () => timeline.entries.reduce((count, entry) => count + Number(entry.type === 'decision'), 0),
    [timeline.entries],
  )
  const person = usePeople(taskId, decisions)
  const tool = useTools()
  const question = openQuestion(timeline)
  const facts = useMemo(
    () => ({ taskId, isMine, person, tool, onOpen, question }),
    [taskId, isMine, person, tool, onOpen, question],
  )
  const fresh = atEnd ? 0 : Math.max(0, rows.length - seen)

  return (
    <FactsContext value={facts}>
      <div className="timeline-frame">
        <h2 className="visually-hidden">{t('timeline.label')}</h2>
        <div ref={frame} className="timeline" role="region" aria-label={t('timeline.label')} tabIndex={0}>
          <div role="list" className="timeline-lines" style={{ height }}>
            {items.map((item) => {
              const row = rows[item.index]
              if (!row) return null
              return (
                <div
                  key={item.key}
                  ref={virtual.measureElement}
                  role="listitem"
                  data-index={item.index}
                  data-key={row.key}
                  data-event={'entry' in row ? row.entry.event : undefined}
                  aria-setsize={rows.length}
                  aria-posinset={item.index + 1}
                  tabIndex={row.key === active ? 0 : -1}
                  className="timeline-line"
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  {'entry' in row ? (
                    <EntryView
                      entry={row.entry}
                      call={
                        row.entry.type === 'call'
                          ? timeline.calls[row.entry.id]
                          : row.entry.type === 'decision'
                            ? timeline.calls[row.entry.callId]
                            : undefined
                      }
                      results={
                        row.entry.type === 'call'
                          ? timeline.results[timeline.calls[row.entry.id]?.step ?? -1]
                          : undefined
                      }
                      isOpened={row.entry.type === 'call' && row.entry.id === opened}
                      answer={
                        row.entry.type === 'message' && timeline.status === 'completed'
                          ? task?.result?.answer
                          : undefined
                      }
                    />
                  ) : row.key === 'streaming' ? (
                    streaming && <Answering streaming={streaming} />
                  ) : (
                    <End timeline={timeline} task={task} />
                  )}
                </div>
              )
            })}
          </div>
        </div>
        {!atEnd && (
          <Button
            small
            look={fresh ? 'primary' : 'plain'}
            className="timeline-new"
            icon={<ArrowDown size={16} aria-hidden />}
            onClick={toEnd}
          >
            {fresh ? t('timeline.new', { count: fresh }) : t('timeline.toEnd')}
          </Button>
        )}
      </div>
    </FactsContext>
  )
}
