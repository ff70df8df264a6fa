import { Octagon } from 'lucide-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'
import { Confirm } from '@/kit/dialog'
import { ENDED } from '@/live/fold'
import type { Call } from './calls'

/** Stop the whole task instead of deciding. Its owner can; others are told who. */
export function StopTask({ call, busy, onStop }: { call: Call; busy: boolean; onStop: () => void }) {
  const { t } = useTranslation('approvals')
  const [asking, setAsking] = useState(false)
  if (ENDED.has(call.task_status)) return null
  const why = call.is_mine ? undefined : t('stopOther', { name: call.owner_name ?? t('somebody') })
  return (
    <>
      <Button
        look="ghost"
        className="decide-stop"
        icon={<Octagon size={16} aria-hidden />}
        busy={busy}
        disabled={!!why}
        title={why}
        onClick={() => setAsking(true)}
      >
        {t('stop')}
      </Button>
      {why && <p className="field-hint decide-stop-why">{why}</p>}
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title={t('stopQuestion')}
        description={t('stopText')}
        confirm={t('stop')}
        danger
        onConfirm={() => {
          setAsking(false)
          onStop()
        }}
      />
    </>
  )
}
