import { ChevronDown, ChevronRight, Paperclip, SendHorizontal } from 'lucide-react'
import {
  useEffect,
  useImperativeHandle,
  useRef,
  useState,
  type FormEvent,
  type KeyboardEvent,
  type RefObject,
} from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation, useSearchParams } from 'wouter'
import { Button } from '@/kit/button'
import { Banner, ProblemLine } from '@/kit/states'
import type { Access } from '@/session/session'
import { AgentAbout, AgentChoice } from './agent_choice'
import { AttachmentList } from './attachment_list'
import { badLimits, optionsSet, useTaskDraft, type TaskDraft } from './draft'
import { Options } from './options'
import { useAgents } from './rows'
import { Arrived, useSubmit } from './submit'
import { useAttachments } from './use_attachments'

export interface NewTaskHandle {
  /** Put a text where the task is described. */
  fill: (prompt: string) => void
}

const keys = /mac|iphone|ipad/i.test(navigator.platform) ? '⌘ Enter' : 'Ctrl Enter'

/** What should the agent do: the form that files a task. What is typed is kept until it has been filed. */
export function NewTask({ access, handle }: { access: Access; handle: RefObject<NewTaskHandle | null> }) {
  const { t } = useTranslation('tasks')
  const [, go] = useLocation()
  const { draft, change, clear } = useTaskDraft(access.user_id)
  const prompt = useRef<HTMLTextAreaElement>(null)
  const picker = useRef<HTMLInputElement>(null)
  const files = useAttachments(access)
  const submit = useSubmit(files.outbox, clear)
  const { data: agents } = useAgents()
  const [showsOptions, setShowsOptions] = useState(() => optionsSet(draft) > 0)
  const [complaint, setComplaint] = useState<'emptyPrompt' | null>(null)
  const fill = (text: string) => {
    change({ prompt: text })
    prompt.current?.focus()
  }
  useImperativeHandle(handle, () => ({ fill }))
  useLink(draft.prompt, change, agents, prompt)

  const send = (event?: FormEvent) => {
    event?.preventDefault()
    if (submit.isPending) return
    if (!draft.prompt.trim()) {
      setComplaint('emptyPrompt')
      prompt.current?.focus()
      return
    }
    if (badLimits(draft).length || (draft.agent && agents && !agents.some((agent) => agent.id === draft.agent))) {
      setShowsOptions(true)
      return
    }
    submit.mutate(draft, { onSuccess: (taskId) => go(`/tasks/${taskId}`) })
  }
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) send()
  }
  const set = optionsSet(draft)
  const arrived = submit.error instanceof Arrived ? submit.error : null
  return (
    <form className={`new-task ${files.isOver ? 'new-task-over' : ''}`} onSubmit={send}>
      <label className="new-task-label" htmlFor="new-task-prompt">
        {t('new.title')}
      </label>
      <textarea
        id="new-task-prompt"
        ref={prompt}
        className="control new-task-prompt"
        rows={3}
        placeholder={t('new.placeholder')}
        readOnly={submit.isPending}
        aria-invalid={complaint ? true : undefined}
        aria-describedby={complaint ? 'new-task-complaint' : undefined}
        value={draft.prompt}
        onChange={(event) => {
          setComplaint(null)
          change({ prompt: event.target.value })
        }}
        onKeyDown={onKey}
        onPaste={files.onPaste}
      />
      {complaint && (
        <p id="new-task-complaint" className="field-error" role="alert">
          {t(`new.${complaint}`)}
        </p>
      )}
      {draft.before && draft.before !== draft.prompt && (
        <p className="new-task-before">
          {t('new.replaced')}{' '}
          <Button look="ghost" small onClick={() => fill(draft.before)}>
            {t('new.bringBack')}
          </Button>
        </p>
      )}
      {files.isOver && <p className="new-task-drop">{t('new.drop')}</p>}
      <AttachmentList files={files} />
      {showsOptions && <Options draft={draft} onChange={change} />}
      {arrived && (
        <Banner
          tone="warn"
          action={
            <Link className="button button-plain button-small" href={`/tasks/${arrived.taskId}`}>
              {t('new.alreadyOpen')}
            </Link>
          }
        >
          {t('new.already')}
        </Banner>
      )}
      {!arrived && <ProblemLine error={submit.error} />}
      <div className="new-task-bar">
        <AgentChoice agents={agents} draft={draft} onChange={change} />
        <AgentAbout agents={agents} draft={draft} />
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          onChange={(event) => {
            files.add([...(event.target.files ?? [])])
            event.target.value = ''
          }}
        />
        <Button icon={<Paperclip size={16} aria-hidden />} onClick={() => picker.current?.click()}>
          {t('new.attach')}
        </Button>
        <Button
          look="ghost"
          aria-expanded={showsOptions}
          icon={showsOptions ? <ChevronDown size={16} aria-hidden /> : <ChevronRight size={16} aria-hidden />}
          onClick={() => setShowsOptions(!showsOptions)}
        >
          {t('new.options')}
          {set > 0 && <span className="new-task-set">{t('new.optionsNote', { count: set })}</span>}
        </Button>
        <div className="new-task-send">
          <span className="new-task-keys" role={submit.isPending ? 'status' : undefined}>
            {submit.isPending && files.isMoving ? t('new.waitsForFiles') : keys}
          </span>
          <Button
            type="submit"
            look="primary"
            busy={submit.isPending}
            icon={<SendHorizontal size={16} aria-hidden />}
            title={t('new.shortcut', { keys })}
          >
            {t('new.send')}
          </Button>
        </div>
      </div>
    </form>
  )
}

/** What a link brought: ?new=1 goes to the form, ?prompt= and ?agent= (an id or a name) fill it. What stood there before is kept. */
function useLink(
  typed: string,
  change: (changed: Partial<TaskDraft>) => void,
  agents: { id: string; name: string }[] | undefined,
  field: RefObject<HTMLTextAreaElement | null>,
): void {
  const [search, setSearch] = useSearchParams()
  const isNew = search.has('new') || search.has('prompt')
  const wanted = search.get('agent')
  const prompt = search.get('prompt')
  useEffect(() => {
    // An agent's name is understood when the agents are known.
    if (!isNew || (wanted && !agents)) return
    const agent = agents?.find((one) => one.id === wanted || one.name === wanted)?.id ?? wanted
    const replaces = prompt !== null && typed.trim() && typed !== prompt
    change({
      ...(prompt === null ? {} : { prompt }),
      ...(replaces ? { before: typed } : {}),
      ...(agent ? { agent } : {}),
    })
    field.current?.focus()
    setSearch(
      (old) => {
        const next = new URLSearchParams(old)
        for (const name of ['new', 'prompt', 'agent']) next.delete(name)
        return next
      },
      { replace: true },
    )
  }, [isNew, wanted, prompt, agents, typed, change, field, setSearch])
}
