import { Play } from 'lucide-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { useDraft } from '@/data/drafts'
import { Button } from '@/kit/button'
import { toDraft, valueOf, type FormDraft } from '@/kit/form_draft'
import { useFormProblem } from '@/kit/form_state'
import { argumentsSchema, type JsonObject } from '@/kit/schema'
import { SchemaForm } from '@/kit/schema_form'
import { ProblemLine } from '@/kit/states'
import type { Access } from '@/session/session'
import { Locked } from './parts'
import type { ToolRow } from './tool_rows'

/** Run a tool once as the runtime would: a task that asks no model, under the same approvals, limits and audit. */
export function ToolTrial({ tool, access }: { tool: ToolRow; access: Access }) {
  const { t } = useTranslation('admin')
  const { supabase } = useServed()
  const queries = useQueryClient()
  const schema = useMemo(() => argumentsSchema(tool.function_schema), [tool.function_schema])
  const [text, setText] = useDraft(`trial.${tool.id}`)
  const draft = useMemo(() => readDraft(text), [text])
  const [attempted, setAttempted] = useState(false)
  const problem = useFormProblem(schema, draft)
  const run = useMutation({
    mutationFn: async (value: JsonObject) =>
      (await ask(supabase.rpc('try_tool', { p_tool: tool.id, p_arguments: value }))) as unknown as { id: string },
    onSettled: () => queries.invalidateQueries({ queryKey: ['tasks'] }),
  })
  const locked =
    tool.category === 'control'
      ? t('tools.trialControl')
      : !access.is_admin
        ? t('tools.trialAdmins')
        : !tool.is_enabled
          ? t('tools.trialDisabled')
          : undefined
  if (locked) return <Locked>{locked}</Locked>
  return (
    <>
      <p className="field-hint">{t('tools.trialText')}</p>
      <SchemaForm
        schema={schema}
        draft={draft}
        label={t('tools.trialArguments')}
        attempted={attempted}
        onChange={(next) => setText(JSON.stringify(next))}
      />
      {attempted && problem && (
        <p className="field-error" role="alert">
          {problem}
        </p>
      )}
      <ProblemLine error={run.error} />
      <div className="admin-line">
        <Button
          icon={<Play size={16} aria-hidden />}
          busy={run.isPending}
          onClick={() => {
            setAttempted(true)
            const now = valueOf(draft)
            if (!problem && 'value' in now) run.mutate(now.value)
          }}
        >
          {t('tools.run')}
        </Button>
        <span role="status">{run.data && <Link href={`/tasks/${run.data.id}`}>{t('tools.trialTask')}</Link>}</span>
      </div>
    </>
  )
}

function readDraft(text: string): FormDraft {
  try {
    return text ? (JSON.parse(text) as FormDraft) : toDraft({})
  } catch {
    return toDraft({})
  }
}
