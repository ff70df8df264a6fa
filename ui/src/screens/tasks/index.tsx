import { useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { useAccess } from '@/session/session'
import { Banner } from '@/kit/states'
import { ScreenHead } from '@/kit/card'
import { NewTask, type NewTaskHandle } from './new_task'
import { RuntimeBanner } from './runtime_banner'
import { TaskList } from './task_list'
import './tasks.css'

/** Give the agent something to do, and see what became of all that was given. */
export default function Tasks() {
  const { t } = useTranslation('tasks')
  const { data: access } = useAccess()
  const form = useRef<NewTaskHandle>(null)
  return (
    <>
      <ScreenHead title={t('title')} />
      <RuntimeBanner />
      {access?.can_write && <NewTask key={`${access.user_id}/${access.tenant_id}`} access={access} handle={form} />}
      {access && !access.can_write && (
        <Banner tone="info">
          <strong>{t('new.readOnlyTitle')}</strong>
          <span>{t('new.readOnly', { tenant: access.tenant_name })}</span>
        </Banner>
      )}
      <TaskList access={access} onExample={(prompt) => form.current?.fill(prompt)} />
    </>
  )
}
