import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import { en } from './en'

export const LANGUAGES = { en: 'English', es: 'Español' } as const
export type Language = keyof typeof LANGUAGES
const KEY = 'agent-runtime.language'

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'common'
    resources: typeof en
  }
}

export function language(): Language {
  return i18next.language === 'es' ? 'es' : 'en'
}

function wantedLanguage(): Language {
  const kept = localStorage.getItem(KEY)
  if (kept === 'en' || kept === 'es') return kept
  const known = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in LANGUAGES)
  return (known as Language | undefined) ?? 'en'
}

export async function startLanguage(): Promise<void> {
  if (i18next.isInitialized) return
  await i18next.use(initReactI18next).init({
    lng: 'en',
    fallbackLng: 'en',
    defaultNS: 'common',
    resources: { en },
    // React escapes what it renders.
    interpolation: { escapeValue: false },
  })
  i18next.on('languageChanged', (tag) => (document.documentElement.lang = tag))
  await speak(wantedLanguage())
}

/** Change the language of every screen at once. Spanish is fetched when it is wanted. */
export async function speak(wanted: Language): Promise<void> {
  if (wanted === 'es' && !i18next.hasResourceBundle('es', 'common')) {
    const { es } = await import('./es')
    for (const [namespace, texts] of Object.entries(es)) i18next.addResourceBundle('es', namespace, texts)
  }
  await i18next.changeLanguage(wanted)
}

export async function chooseLanguage(wanted: Language): Promise<void> {
  localStorage.setItem(KEY, wanted)
  await speak(wanted)
}
