import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'
import { ScreenHead } from '@/kit/card'
import { Loading, ProblemState } from '@/kit/states'
import { Tabs } from '@/kit/tabs'
import { useAccess } from '@/session/session'
import { Agents } from './agents'
import { Audit } from './audit'
import { Configuration } from './configuration'
import { Health } from './health'
import { People } from './people'
import { Tools } from './tools'
import './admin.css'

const TABS = [
  ['agents', Agents],
  ['tools', Tools],
  ['people', People],
  ['configuration', Configuration],
  ['audit', Audit],
  ['health', Health],
] as const

/** Everybody may open every tab; the database says what they hold. `/admin/TAB/ITEM`. */
export default function Admin() {
  const { t } = useTranslation('admin')
  const [path, go] = useLocation()
  const { data: access, error, refetch } = useAccess()
  const [, , tab = '', item = ''] = path.split('/')
  const open = TABS.some(([name]) => name === tab) ? tab : 'agents'
  if (!access) return error ? <ProblemState error={error} onRetry={() => void refetch()} /> : <Loading />
  return (
    <>
      <ScreenHead title={t('title')} />
      <Tabs
        label={t('title')}
        value={open}
        onChange={(next) => go(`/admin/${next}`)}
        tabs={TABS.map(([name, Tab]) => ({
          value: name,
          label: t(`tabs.${name}`),
          content: <Tab access={access} item={decodeURIComponent(item)} />,
        }))}
      />
    </>
  )
}
