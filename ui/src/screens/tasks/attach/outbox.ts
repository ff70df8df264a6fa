import { problemOf, Refused, type ProblemKind } from '@/data/problem'
import { uuid } from './uuid'
import type { Target } from './send'

export type AttachmentState = 'waiting' | 'sending' | 'stored' | 'failed' | 'lost'

export interface Attachment {
  id: string
  /** What it is called in the workspace. */
  name: string
  size: number
  mime: string
  state: AttachmentState
  /** Bytes that went over the wire. */
  sent: number
  error: unknown
  path: string | null
  sha256: string | null
  storedAt: number
}

export interface Posted {
  taskId: string
  /** What was sent with this id, when it is not known whether it arrived. */
  fingerprint: string | null
  attachments: readonly Attachment[]
}

const PREFIX = 'agent-runtime.draft.files.'
const AT_ONCE = 2
const STOPPED: ProblemKind[] = ['offline', 'unavailable', 'signedOut']
// Uploads whose task never came are swept after a day.
const KEPT_MS = 20 * 3_600_000

/**
 * What is on its way for the task that a person is about to give: the task's id, so that sending twice makes one task, and its
 * files. It lives as long as the page, whatever screen is shown; what is stored already survives a reload, too.
 */
export class Outbox {
  private readonly files = new Map<string, File>()
  private readonly running = new Map<string, AbortController>()
  private readonly listeners = new Set<() => void>()
  /** Files that were handed over and are not in the list yet: what is sent meanwhile waits for them. */
  private coming = 0
  private posted: Posted

  constructor(
    readonly owner: string,
    private readonly tenant: string,
    private readonly target: Target,
  ) {
    this.posted = this.restored()
    window.addEventListener('online', () => this.retryAll())
    window.addEventListener('beforeunload', (event) => {
      if (this.running.size) event.preventDefault()
    })
    window.addEventListener('storage', (event) => {
      // Another tab of this person's has sent the same draft: what is here is a task of its own.
      if (event.key !== this.key || event.newValue) return
      this.posted = { ...this.posted, attachments: this.posted.attachments.filter((one) => this.files.has(one.id)) }
      this.renew()
    })
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
  snapshot = (): Posted => this.posted

  /** Take files along; their uploads begin as soon as it is known how many bytes one may have. */
  async add(files: readonly File[], limitKnown: Promise<number>): Promise<void> {
    this.coming += 1
    try {
      const [limit, names] = await Promise.all([limitKnown, import('./names')])
      this.list(files, limit, names)
    } finally {
      this.coming -= 1
      this.change({})
    }
    this.pump()
  }

  private list(files: readonly File[], limit: number, { tame, distinct }: typeof import('./names')): void {
    for (const file of files) {
      const id = uuid()
      const name = distinct(
        tame(file.name),
        this.posted.attachments.map((one) => one.name),
      )
      const tooLarge = file.size > limit
      if (!tooLarge) this.files.set(id, file)
      const one: Attachment = {
        id,
        name,
        size: file.size,
        mime: file.type || 'application/octet-stream',
        state: tooLarge ? 'failed' : 'waiting',
        sent: 0,
        error: tooLarge ? new TooLarge(limit) : null,
        path: null,
        sha256: null,
        storedAt: 0,
      }
      this.change({ attachments: [...this.posted.attachments, one] })
    }
  }

  remove(id: string): void {
    this.running.get(id)?.abort()
    this.files.delete(id)
    this.change({ attachments: this.posted.attachments.filter((one) => one.id !== id) })
    this.pump()
  }

  retry(id: string): void {
    if (!this.files.has(id)) return
    this.update(id, { state: 'waiting', sent: 0, error: null })
    this.pump()
  }

  /** Try again what a lost connection or an ended session has stopped. */
  retryAll(): void {
    for (const one of this.posted.attachments)
      if (one.state === 'failed' && STOPPED.includes(problemOf(one.error).kind)) this.retry(one.id)
  }

  canRetry(id: string): boolean {
    return this.files.has(id)
  }

  /** Resolves when no upload is under way: true when every file is stored. */
  async settled(): Promise<boolean> {
    while (this.coming || this.posted.attachments.some((one) => one.state === 'waiting' || one.state === 'sending'))
      await new Promise<void>((resolve) => {
        const stop = this.subscribe(() => {
          stop()
          resolve()
        })
      })
    return this.posted.attachments.every((one) => one.state === 'stored')
  }

  noteSent(fingerprint: string | null): void {
    this.change({ fingerprint })
  }

  /** The task is there: begin anew. */
  clear(): void {
    this.abortAll()
    this.files.clear()
    this.posted = { taskId: uuid(), fingerprint: null, attachments: [] }
    localStorage.removeItem(this.key)
    this.tell()
  }

  /** Another task's id, and its files once more: bytes of one task cannot be another's. */
  renew(): void {
    this.abortAll()
    this.posted = {
      taskId: uuid(),
      fingerprint: null,
      attachments: this.posted.attachments.map((one) => ({
        ...one,
        state: one.error instanceof TooLarge ? 'failed' : this.files.has(one.id) ? 'waiting' : 'lost',
        sent: 0,
        path: null,
        sha256: null,
      })),
    }
    this.change({})
    this.pump()
  }

  private get key(): string {
    return `${PREFIX}${this.owner}`
  }

  private pump(): void {
    for (const one of this.posted.attachments) {
      if (this.running.size >= AT_ONCE) return
      const file = this.files.get(one.id)
      if (one.state === 'waiting' && file) void this.run(one, file)
    }
  }

  private async run({ id, name }: Attachment, file: File): Promise<void> {
    const abort = new AbortController()
    this.running.set(id, abort)
    this.update(id, { state: 'sending' })
    try {
      const { send } = await import('./send')
      // Under its own id in its folder: a name that was removed and came again has other bytes.
      const folder = `${this.tenant}/${this.posted.taskId}`
      const stored = await send(file, folder, `${id.slice(0, 8)}-${name}`, this.target, abort.signal, (sent) =>
        this.update(id, { sent: Math.min(sent, file.size) }, false),
      )
      if (!abort.signal.aborted) this.update(id, { ...stored, state: 'stored', sent: file.size, storedAt: Date.now() })
    } catch (error) {
      if (!abort.signal.aborted) this.update(id, { state: 'failed', error })
    } finally {
      this.running.delete(id)
      this.pump()
    }
  }

  private abortAll(): void {
    for (const abort of this.running.values()) abort.abort()
    this.running.clear()
  }

  private update(id: string, changed: Partial<Attachment>, keep = true): void {
    this.change(
      { attachments: this.posted.attachments.map((one) => (one.id === id ? { ...one, ...changed } : one)) },
      keep,
    )
  }

  private change(changed: Partial<Posted>, keep = true): void {
    this.posted = { ...this.posted, ...changed }
    if (keep)
      try {
        localStorage.setItem(this.key, JSON.stringify({ ...this.posted, tenant: this.tenant }))
      } catch {
        // A full store: it lasts as long as the page, at least.
      }
    this.tell()
  }

  private tell(): void {
    for (const listener of this.listeners) listener()
  }

  private restored(): Posted {
    const fresh: Posted = { taskId: uuid(), fingerprint: null, attachments: [] }
    try {
      const kept = JSON.parse(localStorage.getItem(this.key) ?? 'null') as (Posted & { tenant: string }) | null
      if (!kept) return fresh
      const here = kept.tenant === this.tenant
      return {
        taskId: here ? kept.taskId : fresh.taskId,
        fingerprint: here ? kept.fingerprint : null,
        attachments: kept.attachments.map((one) => {
          const good = here && one.state === 'stored' && Date.now() - one.storedAt < KEPT_MS
          return { ...one, error: null, state: good ? 'stored' : 'lost' }
        }),
      }
    } catch {
      return fresh
    }
  }
}

/** A file over `file_upload_max_size`: refused before a byte is sent. */
export class TooLarge extends Refused {
  constructor(readonly limit: number) {
    super('invalid', `file_upload_max_size ${limit}`)
  }
}

const outboxes = new Map<string, Outbox>()

/** The person's outbox, the same one as long as the page lives. */
export function outboxOf(owner: string, tenant: string, target: Target): Outbox {
  const key = `${owner}/${tenant}`
  let outbox = outboxes.get(key)
  if (!outbox) outboxes.set(key, (outbox = new Outbox(owner, tenant, target)))
  return outbox
}
