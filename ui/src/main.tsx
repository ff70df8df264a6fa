import { setNonce } from 'get-nonce'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import './styles/global.css'
import { loadConfig } from '@/config'
import { startLanguage } from '@/i18n'
import { CannotStart } from '@/shell/cannot_start'
import { applyTheme } from '@/shell/theme'

// Dialogs lock the page's scrolling by a style element, which the policy of the page allows with this.
const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content
if (nonce) setNonce(nonce)
applyTheme()

const root = createRoot(document.getElementById('root')!)

async function start(): Promise<void> {
  await startLanguage()
  try {
    const [config, { App }] = await Promise.all([loadConfig(), import('@/app')])
    root.render(
      <StrictMode>
        <App config={config} />
      </StrictMode>,
    )
  } catch {
    root.render(<CannotStart onRetry={() => void start()} />)
  }
}

void start()
