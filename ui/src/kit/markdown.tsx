import { Component, lazy, Suspense, type ReactNode } from 'react'

const Rendered = lazy(() => import('./markdown_rendered'))

/** What an agent wrote, as Markdown: no HTML of its own, no images from elsewhere, links marked. The viewer comes when it is needed. */
export function Markdown({ text }: { text: string }) {
  return (
    <AsPlainText text={text}>
      <Suspense fallback={<p className="prose plain">{text}</p>}>
        <Rendered text={text} />
      </Suspense>
    </AsPlainText>
  )
}

/** Text that no parser manages is still text. */
class AsPlainText extends Component<{ text: string; children: ReactNode }, { failed: boolean }> {
  state = { failed: false }
  static getDerivedStateFromError() {
    return { failed: true }
  }
  render() {
    return this.state.failed ? <p className="prose plain">{this.props.text}</p> : this.props.children
  }
}
