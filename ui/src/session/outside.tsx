import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { chooseLanguage, LANGUAGES, type Language } from '@/i18n'
import { ConnectionBanner } from '@/shell/banners'
import './outside.css'

/** What is seen without a session: one card, and the choice of a language below it. */
export function Outside({ title, children }: { title: string; children: ReactNode }) {
  const { t, i18n } = useTranslation()
  return (
    <>
      <ConnectionBanner />
      <main className="outside">
        <p className="outside-brand">
          <img src="/favicon.svg" alt="" width="28" height="28" />
          {t('product')}
        </p>
        <section className="outside-card">
          <h1>{title}</h1>
          {children}
        </section>
        <div className="outside-languages" role="group" aria-label={t('language')}>
          {(Object.entries(LANGUAGES) as [Language, string][]).map(([tag, name]) => (
            <button
              key={tag}
              type="button"
              lang={tag}
              aria-pressed={i18n.language === tag}
              onClick={() => void chooseLanguage(tag)}
            >
              {name}
            </button>
          ))}
        </div>
      </main>
    </>
  )
}
