import { TriangleAlert } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import { problemOf } from '@/data/problem'

// What Supabase Auth calls it, and what it is called here.
const KNOWN = {
  invalid_credentials: 'wrong',
  invalid_grant: 'wrong',
  email_not_confirmed: 'notConfirmed',
  user_already_exists: 'taken',
  email_exists: 'taken',
  weak_password: 'weak',
  same_password: 'same',
  signup_disabled: 'closed',
  otp_disabled: 'unknownAddress',
  user_not_found: 'unknownAddress',
  over_request_rate_limit: 'often',
  over_email_send_rate_limit: 'often',
  user_banned: 'banned',
} as const

/** What Auth refused, in words that help; its own where it says something that is not known here. */
export function AuthProblem({ error }: { error: unknown }) {
  const { t } = useTranslation(['session', 'common'])
  if (!error) return null
  const code = String((error as { code?: string }).code ?? '')
  const problem = problemOf(error)
  const away = problem.kind === 'offline' || problem.kind === 'unavailable'
  const text =
    code in KNOWN
      ? t(`problem.${KNOWN[code as keyof typeof KNOWN]}`)
      : away
        ? `${t(`common:problem.${problem.kind}`)}. ${t('problem.away')}`
        : problem.message || t('common:problem.unknown')
  return (
    <p className="problem-line" role="alert">
      <TriangleAlert size={16} aria-hidden />
      <span>{text}</span>
    </p>
  )
}
