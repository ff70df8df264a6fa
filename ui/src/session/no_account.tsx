import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'
import { Outside } from './outside'
import { useAccess, useSession } from './session'

/** The sign-in is good, but the person has no active profile: deactivated, or removed. */
export function NoAccount() {
  const { t } = useTranslation(['session', 'common'])
  const { session, signOut } = useSession()
  const { refetch, isFetching } = useAccess()
  return (
    <Outside title={t('inactive.title')}>
      <p>{t('inactive.text', { email: session?.user.email ?? '' })}</p>
      <div className="outside-form">
        <Button busy={isFetching} onClick={() => void refetch()}>
          {t('common:retry')}
        </Button>
        <Button look="ghost" onClick={() => void signOut()}>
          {t('common:signOut')}
        </Button>
      </div>
    </Outside>
  )
}
