import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore, type ClipboardEvent } from 'react'
import { useServed } from '@/data/client'
import { useToken, type Access } from '@/session/session'
import { outboxOf, type Outbox, type Posted } from './attach/outbox'

const DEFAULT_LIMIT_BYTES = 104_857_600

export interface Attachments {
  outbox: Outbox
  posted: Posted
  add: (files: File[]) => void
  /** Folders that were dropped: they are not taken. */
  folders: string[]
  /** Files are held over the page. */
  isOver: boolean
  /** An upload is under way. */
  isMoving: boolean
  onPaste: (event: ClipboardEvent) => void
}

/** The files of the task that is being written: picked, pasted, or dropped anywhere on the page. */
export function useAttachments(access: Access): Attachments {
  const { config, supabase } = useServed()
  const token = useToken()
  const outbox = useMemo(
    () =>
      outboxOf(access.user_id, access.tenant_id, {
        supabaseUrl: config.supabase_url,
        key: config.publishable_key,
        token,
      }),
    [access.user_id, access.tenant_id, config, token],
  )
  const posted = useSyncExternalStore(outbox.subscribe, outbox.snapshot)
  const [folders, setFolders] = useState<string[]>([])
  const [isOver, setIsOver] = useState(false)
  const queries = useQueryClient()
  const limits = useMemo(
    () => ({
      queryKey: ['file_upload_max_size'],
      staleTime: 60_000,
      // Nobody waits with their files for a connection: without one the usual limit is taken, and the database asks again.
      networkMode: 'always' as const,
      retry: false,
      queryFn: async () => {
        const { data, error } = await supabase
          .from('system_config')
          .select('config_value')
          .eq('config_key', 'file_upload_max_size')
          .maybeSingle()
        if (error) throw error
        return Number(data?.config_value) || DEFAULT_LIMIT_BYTES
      },
    }),
    [supabase],
  )
  useQuery(limits)
  const add = useCallback(
    (files: File[]) => {
      setFolders([])
      void outbox.add(
        files,
        queries.ensureQueryData(limits).catch(() => DEFAULT_LIMIT_BYTES),
      )
    },
    [outbox, queries, limits],
  )
  useEffect(() => outbox.retryAll(), [outbox])
  useEffect(() => {
    const brings = (event: DragEvent) => !!event.dataTransfer?.types.includes('Files')
    const over = (event: DragEvent) => {
      if (!brings(event)) return
      event.preventDefault()
      setIsOver(true)
    }
    const leave = (event: DragEvent) => {
      if (!event.relatedTarget) setIsOver(false)
    }
    const drop = (event: DragEvent) => {
      if (!brings(event)) return
      // Or the browser would leave the page for the file.
      event.preventDefault()
      setIsOver(false)
      const { files, names } = dropped(event.dataTransfer!)
      add(files)
      setFolders(names)
    }
    window.addEventListener('dragover', over)
    window.addEventListener('dragleave', leave)
    window.addEventListener('drop', drop)
    return () => {
      window.removeEventListener('dragover', over)
      window.removeEventListener('dragleave', leave)
      window.removeEventListener('drop', drop)
    }
  }, [add])
  const onPaste = (event: ClipboardEvent) => {
    const { files, types } = event.clipboardData
    // A table copied from a spreadsheet comes as a picture, too: its text is meant.
    if (!files.length || types.includes('text/plain')) return
    event.preventDefault()
    add([...files])
  }
  const isMoving = posted.attachments.some((one) => one.state === 'waiting' || one.state === 'sending')
  return { outbox, posted, add, folders, isOver, isMoving, onPaste }
}

function dropped(transfer: DataTransfer): { files: File[]; names: string[] } {
  const files: File[] = []
  const names: string[] = []
  for (const item of transfer.items) {
    const file = item.getAsFile()
    if (!file) continue
    if (item.webkitGetAsEntry?.()?.isDirectory) names.push(file.name)
    else files.push(file)
  }
  return { files, names }
}
