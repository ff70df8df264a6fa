import { CheckCircle2, TriangleAlert, X } from 'lucide-react'
import { Toast } from 'radix-ui'
import { createContext, useCallback, useContext, useMemo, useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { problemOf } from '@/data/problem'
import { IconButton } from './button'
import './notices.css'

interface Notice {
  id: number
  tone: 'good' | 'bad'
  text: string
}

const Context = createContext<{ tell: (text: string) => void; tellProblem: (error: unknown) => void } | null>(null)

/** Short words about what was done or was not, read out by screen readers. */
export function useNotices() {
  const notices = useContext(Context)
  if (!notices) throw new Error('no notices here')
  return notices
}

export function Notices({ children }: { children: ReactNode }) {
  const { t } = useTranslation()
  const [notices, setNotices] = useState<Notice[]>([])
  const add = useCallback((tone: Notice['tone'], text: string) => {
    setNotices((old) => [...old.slice(-3), { id: Date.now() + Math.random(), tone, text }])
  }, [])
  const value = useMemo(
    () => ({
      tell: (text: string) => add('good', text),
      tellProblem: (error: unknown) => {
        const problem = problemOf(error)
        add('bad', `${t(`problem.${problem.kind}`)}. ${problem.message}`)
      },
    }),
    [add, t],
  )
  return (
    <Context.Provider value={value}>
      <Toast.Provider swipeDirection="right" label={t('product')}>
        {children}
        {notices.map((notice) => (
          <Toast.Root
            key={notice.id}
            className={`notice tone-${notice.tone}`}
            duration={notice.tone === 'bad' ? 12_000 : 5_000}
            onOpenChange={(open) => open || setNotices((old) => old.filter((one) => one.id !== notice.id))}
          >
            {notice.tone === 'bad' ? <TriangleAlert size={18} aria-hidden /> : <CheckCircle2 size={18} aria-hidden />}
            <Toast.Description className="notice-text">{notice.text}</Toast.Description>
            <Toast.Close asChild>
              <IconButton label={t('close')}>
                <X size={16} aria-hidden />
              </IconButton>
            </Toast.Close>
          </Toast.Root>
        ))}
        <Toast.Viewport className="notices" />
      </Toast.Provider>
    </Context.Provider>
  )
}
