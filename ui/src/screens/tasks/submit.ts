import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { problemOf, Refused } from '@/data/problem'
import type { Outbox } from './attach/outbox'
import { limitsOf, type TaskDraft } from './draft'

/** What was sent before did arrive, though its answer did not: `taskId` is the task that came of it. */
export class Arrived extends Error {
  constructor(readonly taskId: string) {
    super(taskId)
  }
}

const UNSURE = ['offline', 'unavailable', 'unknown']
const AGAIN_MS = 1_000

/**
 * File the task, once its files are up: all of it or nothing. Its id is chosen here, and is its idempotency key as well, so that
 * sending again after a cut gives the same task.
 */
export function useSubmit(outbox: Outbox, onFiled: () => void) {
  const { t } = useTranslation('tasks')
  const { supabase } = useServed()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: async (draft: TaskDraft): Promise<string> => {
      if (!(await outbox.settled())) throw new Refused('invalid', t('new.filesNotUp'))
      const { taskId, fingerprint, attachments } = outbox.snapshot()
      const what = {
        p_prompt: draft.prompt,
        p_agent: draft.agent,
        p_priority: draft.priority,
        p_title: draft.title.trim() || null,
        p_limits: limitsOf(draft),
        p_run_after: draft.runAt ? new Date(draft.runAt).toISOString() : null,
        p_files: attachments.map((one) => ({
          filename: one.name,
          original_filename: one.name,
          file_path: one.path,
          file_size: one.size,
          mime_type: one.mime,
          file_hash: one.sha256,
        })),
      }
      const now = fingerprintOf(JSON.stringify(what))
      if (fingerprint && fingerprint !== now) {
        // Not the same as what was sent with this id: it must not be answered with what came of that.
        const { data, error } = await supabase.from('tasks').select('id').eq('id', taskId).maybeSingle()
        if (error) throw error
        if (data) {
          outbox.renew()
          throw new Arrived(taskId)
        }
      }
      outbox.noteSent(now)
      const file = () => ask(supabase.rpc('submit_task', { ...what, p_task: taskId, p_idempotency_key: taskId }))
      try {
        await file().catch(async (error: unknown) => {
          if (problemOf(error).kind !== 'unavailable') throw error
          await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
          return file()
        })
      } catch (error) {
        if (!UNSURE.includes(problemOf(error).kind)) outbox.noteSent(null)
        throw error
      }
      return taskId
    },
    onSuccess: () => {
      outbox.clear()
      onFiled()
      return queries.invalidateQueries({ queryKey: ['tasks'] })
    },
  })
}

function fingerprintOf(text: string): string {
  let hash = 0
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0
  return `${text.length}.${hash}`
}
