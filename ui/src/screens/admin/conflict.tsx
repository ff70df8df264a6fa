import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'
import { Changes } from '@/kit/changes'
import type { Json } from '@/kit/schema'
import { Banner } from '@/kit/states'

/** Somebody else changed the same thing meanwhile: what they changed, and whose version goes on. Nothing typed is lost by itself. */
export function Conflict({
  before,
  theirs,
  onKeepMine,
  onTakeTheirs,
}: {
  before: Json
  theirs: Json
  onKeepMine: () => void
  onTakeTheirs: () => void
}) {
  const { t } = useTranslation('admin')
  return (
    <div className="admin-stack">
      <Banner tone="warn">
        <strong>{t('conflict.title')}</strong>
        <span>{t('conflict.text')}</span>
        <span className="admin-line">
          <Button small onClick={onKeepMine}>
            {t('conflict.keepMine')}
          </Button>
          <Button small onClick={onTakeTheirs}>
            {t('conflict.takeTheirs')}
          </Button>
        </span>
      </Banner>
      <Changes before={before} after={theirs} label={t('conflict.title')} />
    </div>
  )
}
