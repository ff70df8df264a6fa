import { BadgeCheck, Download, ShieldX } from 'lucide-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ask } from '@/data/ask'
import { useServed } from '@/data/client'
import { Button } from '@/kit/button'
import { Card } from '@/kit/card'
import { CopyButton } from '@/kit/copy'
import { Moment, number } from '@/kit/figures'
import { Progress } from '@/kit/progress'
import { ProblemLine } from '@/kit/states'
import { exportChain, verifyChain, type AuditFilter, type Head } from './audit_data'
import { Fact, Facts } from './parts'

/** Where the team's chain ends, whether every row of it is as it was written, and a copy of it as a file. */
export function AuditChain({ filter }: { filter: AuditFilter }) {
  const { t } = useTranslation(['admin', 'common'])
  const { supabase } = useServed()
  const [done, setDone] = useState(0)
  const ends = useRef<AbortController>(null)
  useEffect(() => () => ends.current?.abort(), [])
  const { data: head, error } = useQuery({
    queryKey: ['admin', 'audit', 'head'],
    refetchInterval: 15_000,
    queryFn: async () => ((await ask(supabase.rpc('audit_head'))) as unknown as Head[])[0] ?? null,
  })
  const begin = () => {
    setDone(0)
    ends.current = new AbortController()
    return ends.current.signal
  }
  const verify = useMutation({ mutationFn: () => verifyChain(supabase, setDone, begin()) })
  const download = useMutation({
    mutationFn: () => exportChain(supabase, head!, filter, setDone, begin()),
    onSuccess: (file) => save(file, `audit-${new Date().toISOString().slice(0, 10)}.jsonl`),
  })
  const busy = verify.isPending || download.isPending
  const total = head ? head.chain_seq - head.dropped : 0
  const problem = verify.data?.problem
  return (
    <Card title={t('audit.chain')}>
      <ProblemLine error={error} />
      {head && (
        <Facts>
          <Fact name={t('audit.rows')}>{number(total)}</Fact>
          <Fact name={t('audit.lastWritten')}>
            <Moment at={head.created_at} />
          </Fact>
          <Fact name={t('audit.hash')}>
            <span className="audit-hash">
              <code>{head.hash.slice(0, 16)}…</code>
              <CopyButton text={head.hash} label={t('audit.copyHash')} />
            </span>
          </Fact>
          {head.stubs.length > 0 && <Fact name={t('audit.retired')}>{number(head.stubs.length)}</Fact>}
        </Facts>
      )}
      {busy && (
        <Progress
          label={t(verify.isPending ? 'audit.verifying' : 'audit.exporting')}
          value={total ? Math.min(100, (100 * done) / total) : null}
        />
      )}
      <div role="status">
        {verify.data &&
          !busy &&
          (problem ? (
            <p className="problem-line">
              <ShieldX size={16} aria-hidden />
              <span>
                <strong>{t('audit.broken', { kind: problem.kind, seq: problem.seq ?? '' })}</strong> {problem.says}
              </span>
            </p>
          ) : (
            <p className="admin-line">
              <BadgeCheck size={18} aria-hidden /> {t('audit.whole', { rows: number(verify.data.checked) })}
            </p>
          ))}
      </div>
      <ProblemLine error={verify.error ?? download.error} />
      <div className="admin-line">
        <Button busy={verify.isPending} disabled={!head || download.isPending} onClick={() => verify.mutate()}>
          {t('audit.verify')}
        </Button>
        <Button
          icon={<Download size={16} aria-hidden />}
          busy={download.isPending}
          disabled={!head || verify.isPending}
          onClick={() => download.mutate()}
        >
          {t('audit.export')}
        </Button>
        {busy && (
          <Button look="ghost" onClick={() => ends.current?.abort()}>
            {t('common:cancel')}
          </Button>
        )}
      </div>
      <p className="field-hint">{t('audit.exportText')}</p>
    </Card>
  )
}

function save(file: Blob, name: string): void {
  const address = URL.createObjectURL(file)
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}
