import { CircleUser, FolderOpen, ListChecks, Settings2, ShieldCheck } from 'lucide-react'
import { useEffect, useRef, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation } from 'wouter'
import { IconButton } from '@/kit/button'
import { Menu, MenuChoice, MenuItem, MenuLabel, MenuLine } from '@/kit/menu'
import { chooseLanguage, language, LANGUAGES, type Language } from '@/i18n'
import { useAccess, useSession } from '@/session/session'
import { useWaitingCount } from '@/data/waiting'
import { chooseTheme, chosenTheme, type Theme } from './theme'
import { ConnectionBanner, NewVersionBanner } from './banners'
import './shell.css'

/** What every signed-in screen stands in: the ways to the others, the person's menu, and the content. */
export function Shell({ children }: { children: ReactNode }) {
  const { t } = useTranslation()
  const [path] = useLocation()
  const main = useRef<HTMLElement>(null)
  const waiting = useWaitingCount()
  const first = useRef(true)
  useEffect(() => {
    // A new screen is read out from its beginning, as after a page load.
    if (first.current) first.current = false
    else main.current?.focus({ preventScroll: true })
    window.scrollTo(0, 0)
  }, [path])
  const ways = [
    { to: '/tasks', label: t('nav.tasks'), Icon: ListChecks },
    { to: '/approvals', label: t('nav.approvals'), Icon: ShieldCheck, count: waiting },
    { to: '/files', label: t('nav.files'), Icon: FolderOpen },
    { to: '/admin', label: t('nav.admin'), Icon: Settings2 },
  ]
  return (
    <div className="shell">
      <a className="skip" href="#content">
        {t('skip')}
      </a>
      <header className="bar">
        <Link href="/tasks" className="brand" aria-label={t('product')}>
          <img src="/favicon.svg" alt="" width="24" height="24" />
          <span>{t('product')}</span>
        </Link>
        <nav className="ways" aria-label={t('nav.label')}>
          {ways.map(({ to, label, Icon, count }) => (
            <Link key={to} href={to} className="way" aria-current={path.startsWith(to) ? 'page' : undefined}>
              <Icon size={18} aria-hidden />
              <span>{label}</span>
              {!!count && <span className="way-count">{count}</span>}
            </Link>
          ))}
        </nav>
        <AccountMenu />
      </header>
      <ConnectionBanner />
      <NewVersionBanner />
      <main id="content" ref={main} tabIndex={-1} className="content">
        {children}
      </main>
    </div>
  )
}

function AccountMenu() {
  const { t, i18n } = useTranslation()
  const { signOut } = useSession()
  const { data: access } = useAccess()
  const [, go] = useLocation()
  const themes: [Theme, string][] = [
    ['system', t('theme.system')],
    ['light', t('theme.light')],
    ['dark', t('theme.dark')],
  ]
  return (
    <Menu
      trigger={
        <IconButton label={t('nav.account')}>
          <CircleUser size={20} aria-hidden />
        </IconButton>
      }
    >
      {access && (
        <MenuLabel>
          {access.email}
          <br />
          {access.tenant_name}
        </MenuLabel>
      )}
      <MenuItem onSelect={() => go('/account')}>{t('nav.account')}</MenuItem>
      <MenuLine />
      <MenuChoice label={t('theme.label')} value={chosenTheme()} options={themes} onChange={chooseTheme} />
      <MenuLine />
      <MenuChoice<Language>
        label={t('language')}
        value={i18n.language === 'es' ? 'es' : language()}
        options={Object.entries(LANGUAGES) as [Language, string][]}
        onChange={(next) => void chooseLanguage(next)}
      />
      <MenuLine />
      <MenuItem onSelect={() => void signOut()}>{t('signOut')}</MenuItem>
    </Menu>
  )
}
