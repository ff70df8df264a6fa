import { Component, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'

const CHUNK = /dynamically imported module|importing a module script|preload CSS|ChunkLoadError/i

/** No white page: what broke is named, and a part that an update took away is offered anew. `key` it by the screen. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  state: { error: Error | null } = { error: null }
  static getDerivedStateFromError(error: unknown) {
    return { error: error instanceof Error ? error : new Error(String(error)) }
  }
  render() {
    if (!this.state.error) return this.props.children
    return <Broken error={this.state.error} onRetry={() => this.setState({ error: null })} />
  }
}

function Broken({ error, onRetry }: { error: Error; onRetry: () => void }) {
  const { t } = useTranslation()
  const updated = CHUNK.test(error.message)
  return (
    <div className="state" role="alert">
      <h2>{t(updated ? 'problem.newVersion' : 'problem.unknown')}</h2>
      <p>{updated ? t('problem.newVersionText') : error.message}</p>
      <Button onClick={() => (updated ? window.location.reload() : onRetry())}>
        {t(updated ? 'reload' : 'retry')}
      </Button>
    </div>
  )
}
