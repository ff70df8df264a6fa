import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { loadConfig } from '@/config'
import { useServed } from '@/data/client'
import { Button } from '@/kit/button'

/** Says that the browser has no network, and that nothing is lost. */
export function ConnectionBanner() {
  const { t } = useTranslation()
  const [onLine, setOnLine] = useState(navigator.onLine)
  useEffect(() => {
    const change = () => setOnLine(navigator.onLine)
    window.addEventListener('online', change)
    window.addEventListener('offline', change)
    return () => {
      window.removeEventListener('online', change)
      window.removeEventListener('offline', change)
    }
  }, [])
  if (onLine) return null
  return (
    <div className="strip tone-warn" role="status">
      {t('problem.offline')}. {t('problem.offlineText')}
    </div>
  )
}

/** Notices that the server has another bundle than the one that runs here. */
export function NewVersionBanner() {
  const { t } = useTranslation()
  const { config } = useServed()
  const { data: now } = useQuery({
    queryKey: ['config'],
    queryFn: loadConfig,
    refetchInterval: 60_000,
    retry: false,
    initialData: config,
    staleTime: 30_000,
  })
  if (!config.build || !now.build || now.build === config.build) return null
  return (
    <div className="strip tone-info" role="status">
      {t('problem.newVersion')}
      <Button small onClick={() => window.location.reload()}>
        {t('reload')}
      </Button>
    </div>
  )
}
