import { ExternalLink } from 'lucide-react'
import { useTranslation } from 'react-i18next'

/** An address that a tool brought: marked as leading away, and a link only if it is one of the web. */
export function WebLink({ address, children }: { address: string; children?: string }) {
  const { t } = useTranslation('task')
  if (!/^https?:\/\//i.test(address)) return <span>{children || address}</span>
  return (
    <a href={address} target="_blank" rel="noopener noreferrer nofollow" title={`${t('workbench.leads')}: ${address}`}>
      {children || address}
      <ExternalLink size={12} aria-hidden className="link-mark" />
      <span className="visually-hidden"> ({t('workbench.leads')})</span>
    </a>
  )
}
