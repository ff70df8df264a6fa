import { useMutation, useQueryClient } from '@tanstack/react-query'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { useNotices } from '@/kit/notices'

/** Ask something of the task. What came of it is told by its events, to every browser that looks. */
export function useControl(
  taskId: string,
  request: 'pause_task' | 'resume_task' | 'cancel_task',
  done: string,
  after?: () => void,
) {
  const { supabase } = useServed()
  const { tell, tellProblem } = useNotices()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: async () => ask(supabase.rpc(request, { p_task: taskId })),
    onSuccess: () => tell(done),
    onError: tellProblem,
    onSettled: () => {
      after?.()
      void queries.invalidateQueries({ queryKey: ['task', taskId], exact: true })
    },
  })
}

/** Tell the agent something, or answer its question. */
export function useAnswer(taskId: string, onSent: () => void) {
  const { supabase } = useServed()
  return useMutation({
    mutationFn: async (text: string) => ask(supabase.rpc('answer_task', { p_task: taskId, p_answer: text })),
    onSuccess: onSent,
  })
}
