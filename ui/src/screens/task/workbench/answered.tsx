import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Badge } from '@/kit/status'
import { LongOutput } from './long_output'
import { textOf, type ViewProps } from './view'
import { WebLink } from './web_link'

/** What a server answered to one request: from where, with which status and headers, and what it said. */
export default function Answered({ call, args, data, content }: ViewProps) {
  const { t, i18n } = useTranslation('task')
  const [open, setOpen] = useState(false)
  const status = typeof data?.status === 'number' ? data.status : null
  const headers = headersOf(data?.headers)
  const numbers = ['start', 'end', 'characters'].map((key) => data?.[key])
  const isPart = numbers.every((each) => typeof each === 'number') && numbers[1] !== numbers[2]
  const number = (value: unknown) => Number(value).toLocaleString(i18n.language)
  return (
    <div className="page-view">
      <dl className="bench-list">
        <div>
          <dt>{t('workbench.address')}</dt>
          <dd>
            {textOf(data?.method)} <WebLink address={textOf(data?.url) || textOf(args.url)} />{' '}
            {status !== null && <Badge tone={status < 400 ? 'good' : 'bad'}>{String(status)}</Badge>}
          </dd>
        </div>
        {textOf(data?.title) && (
          <div>
            <dt>{t('workbench.title')}</dt>
            <dd>{textOf(data?.title)}</dd>
          </div>
        )}
      </dl>
      {headers.length > 0 && (
        <section className="bench-part">
          <button type="button" className="text-button" aria-expanded={open} onClick={() => setOpen(!open)}>
            {t('workbench.headers', { count: headers.length })}
          </button>
          {open && (
            <dl className="bench-list">
              {headers.map(([name, value]) => (
                <div key={name}>
                  <dt>{name}</dt>
                  <dd>{value.slice(0, 500)}</dd>
                </div>
              ))}
            </dl>
          )}
        </section>
      )}
      {textOf(data?.saved_as) && (
        <p className="bench-note">{t('workbench.savedAs', { name: textOf(data?.saved_as) })}</p>
      )}
      {isPart && (
        <p className="bench-quiet">
          {t('workbench.part', { start: number(numbers[0]), end: number(numbers[1]), all: number(numbers[2]) })}
        </p>
      )}
      {content && !data?.saved_as && (
        <LongOutput
          text={bodyOf(content)}
          label={t('workbench.text')}
          name={`answer-${call.id.slice(0, 8)}.txt`}
          plain
        />
      )}
    </div>
  )
}

/** What the model read without the lines at its head, which are shown apart. */
export function bodyOf(content: string): string {
  const end = /^(URL: |HTTP \d)/.test(content) ? content.indexOf('\n\n') : -1
  return end < 0 ? content : content.slice(end + 2)
}

function headersOf(value: unknown): [string, string][] {
  if (!value || typeof value !== 'object') return []
  return Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string')
}
