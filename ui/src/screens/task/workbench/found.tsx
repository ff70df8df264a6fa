import { useTranslation } from 'react-i18next'
import { LongOutput } from './long_output'
import { listOf, textOf, type ViewProps } from './view'
import { WebLink } from './web_link'

/** What a search found: pages of the web, files, or lines in them. */
export default function Found({ call, data, content, args }: ViewProps) {
  const { t } = useTranslation('task')
  if (call.tool === 'web_search') return <Hits data={data} content={content} />
  if (content === null) return null
  const lines = content.split('\n')
  if (content === 'nothing found' || content === '(empty)')
    return <p className="bench-note">{t('workbench.nothingFound')}</p>
  if ((call.tool === 'file_grep' && args.counts !== true) || typeof args.contains === 'string')
    return <Matches lines={lines} />
  return (
    <LongOutput text={content} label={t('workbench.result')} name={`${call.tool}-${call.id.slice(0, 8)}.txt`} plain />
  )
}

function Hits({ data, content }: Pick<ViewProps, 'data' | 'content'>) {
  const { t } = useTranslation('task')
  const hits = listOf(data?.results).filter((hit): hit is Record<string, unknown> => !!hit && typeof hit === 'object')
  if (!hits.length)
    return content === null ? null : (
      <p className="bench-note">{content.slice(0, 1_000) || t('workbench.nothingFound')}</p>
    )
  return (
    <>
      <p className="bench-quiet">{t('workbench.results', { count: hits.length })}</p>
      <ol className="hits">
        {hits.map((hit, index) => (
          <li key={index}>
            <WebLink address={textOf(hit.url)}>{textOf(hit.title)}</WebLink>
            <span className="hit-address">{textOf(hit.url)}</span>
            <p>{textOf(hit.excerpt)}</p>
          </li>
        ))}
      </ol>
    </>
  )
}

function Matches({ lines }: { lines: string[] }) {
  const { t } = useTranslation('task')
  const files = new Map<string, [string, string, boolean][]>()
  let rest = ''
  for (const line of lines.slice(0, 3_000)) {
    // A line around a match has hyphens where a match has colons.
    const match = /^(.*?):(\d+): (.*)$/.exec(line) ?? /^(.*?)-(\d+)- (.*)$/.exec(line)
    if (match) {
      const found = files.get(match[1]!) ?? []
      found.push([match[2]!, match[3]!, line[match[1]!.length] === ':'])
      files.set(match[1]!, found)
    } else if (line.startsWith('[limit')) rest = line.slice(1, -1)
  }
  if (!files.size) return <p className="bench-note">{t('workbench.nothingFound')}</p>
  return (
    <div className="matches">
      {[...files].map(([path, found]) => (
        <section key={path}>
          <h4>{path}</h4>
          <ul>
            {found.map(([line, text, isMatch], index) => (
              <li key={index} className={isMatch ? undefined : 'match-around'}>
                <span className="match-line">{line}</span> <code>{text.slice(0, 500)}</code>
              </li>
            ))}
          </ul>
        </section>
      ))}
      {rest && <p className="bench-quiet">{rest}</p>}
    </div>
  )
}
