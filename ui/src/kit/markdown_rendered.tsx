import { ExternalLink, ImageOff } from 'lucide-react'
import ReactMarkdown from 'react-markdown'
import remarkGfm from 'remark-gfm'
import './markdown.css'

const LONGEST = 200_000

function isWeb(address: string | undefined): address is string {
  return !!address && /^https?:\/\//i.test(address)
}

export default function Rendered({ text }: { text: string }) {
  return (
    <div className="prose">
      <ReactMarkdown
        remarkPlugins={[remarkGfm]}
        skipHtml
        urlTransform={(url) => (isWeb(url) ? url : '')}
        components={{
          a: ({ href, children }) =>
            isWeb(href) ? (
              <a href={href} target="_blank" rel="noopener noreferrer nofollow" title={href}>
                {children}
                <ExternalLink size={12} aria-hidden className="link-mark" />
              </a>
            ) : (
              <span>{children}</span>
            ),
          // Whoever writes the text must not learn that, when and from where it is read.
          img: ({ alt, src }) => (
            <span className="image-left-out" title={typeof src === 'string' ? src : undefined}>
              <ImageOff size={14} aria-hidden /> {alt || 'image'}
            </span>
          ),
          h1: ({ children }) => <h3>{children}</h3>,
          h2: ({ children }) => <h4>{children}</h4>,
          h3: ({ children }) => <h5>{children}</h5>,
          h4: ({ children }) => <h6>{children}</h6>,
          table: ({ children }) => (
            <div className="prose-table" tabIndex={0}>
              <table>{children}</table>
            </div>
          ),
          input: ({ checked }) => <span aria-hidden>{checked ? '☑ ' : '☐ '}</span>,
        }}
      >
        {text.length > LONGEST ? `${text.slice(0, LONGEST)}\n\n…` : text}
      </ReactMarkdown>
    </div>
  )
}
