import { useTranslation } from 'react-i18next'
import { Refused } from '@/data/problem'
import { ProblemState } from '@/kit/states'
import { Outside } from './outside'
import { useServed } from '@/data/client'

/** Signed in, with a token that has run out, while Auth does not answer. It is asked again by itself. */
export function Away() {
  const { t } = useTranslation()
  const { supabase } = useServed()
  return (
    <Outside title={t('product')}>
      <ProblemState error={new Refused('unavailable', '')} onRetry={() => void supabase.auth.getSession()} />
    </Outside>
  )
}
