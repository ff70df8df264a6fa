import { Lock } from 'lucide-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Empty } from '@/kit/states'

/** What the database does not give this person, and who could. */
export function NoAccess({ children }: { children: ReactNode }) {
  const { t } = useTranslation()
  return (
    <Empty title={t('problem.denied')} icon={Lock}>
      <p>{children}</p>
    </Empty>
  )
}

/** Why what is shown cannot be changed here by this person. */
export function Locked({ children }: { children: ReactNode }) {
  return (
    <p className="locked">
      <Lock size={14} aria-hidden />
      <span>{children}</span>
    </p>
  )
}

/** A name and its value, one under the other. */
export function Facts({ children }: { children: ReactNode }) {
  return <dl className="facts">{children}</dl>
}

export function Fact({ name, children }: { name: ReactNode; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
