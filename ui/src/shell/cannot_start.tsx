import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'

/** Shown when not even the configuration can be had: no screen can work without it. */
export function CannotStart({ onRetry }: { onRetry: () => void }) {
  const { t } = useTranslation()
  return (
    <main className="alone">
      <h1>{t('start.title')}</h1>
      <p>{t('start.text')}</p>
      <Button onClick={onRetry}>{t('retry')}</Button>
    </main>
  )
}
