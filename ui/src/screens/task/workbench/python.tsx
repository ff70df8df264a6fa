import { useTranslation } from 'react-i18next'
import { Badge } from '@/kit/status'
import { FileText } from './file_content'
import { LongOutput } from './long_output'
import { Picture } from './page'
import { listOf, textOf, type ViewProps } from './view'

/** Code, and what it brought, as in a notebook: what it printed, its last value, its figures, or its error. */
export default function Python({ taskId, call, args, data, content, files }: ViewProps) {
  const { t } = useTranslation('task')
  const { note, output, value, error } = pythonParts(content ?? '')
  const figures = new Set(listOf(data?.figures).map(textOf))
  const name = (what: string) => `${call.tool}-${call.id.slice(0, 8)}-${what}.txt`
  const isEmpty = content !== null && !note && !output && !value && !error && figures.size === 0
  return (
    <div className="terminal">
      <FileText text={textOf(args.code)} path="code.py" label={t('workbench.code')} />
      {note && <p className="bench-note">{note}</p>}
      {output && <LongOutput text={output} label={t('workbench.result')} name={name('output')} />}
      {value && (
        <section className="bench-part">
          <h4>{t('workbench.value')}</h4>
          <LongOutput text={value} label={t('workbench.value')} name={name('value')} plain />
        </section>
      )}
      {error && (
        <section className="bench-part">
          <h4>{t('workbench.errors')}</h4>
          <LongOutput text={error} label={t('workbench.errors')} name={name('error')} plain />
        </section>
      )}
      {files
        .filter((file) => figures.has(file.filename))
        .map((file) => (
          <Picture key={file.id} taskId={taskId} fileId={file.id} />
        ))}
      {isEmpty && <p className="bench-note">{t('workbench.noOutput')}</p>}
      {(data?.state === 'interrupted' || data?.state === 'died') && (
        <p className="terminal-end">
          <Badge tone={data.state === 'died' ? 'bad' : 'warn'}>{t(`workbench.python.${data.state}`)}</Badge>
        </p>
      )}
    </div>
  )
}

/** The parts in the order in which the tool tells them; the last "value:" and "traceback:" are its own words. */
export function pythonParts(content: string): { note: string; output: string; value: string; error: string } {
  let rest = `\n${content === '(no output)' ? '' : content}`.replace(/\nfigures: [^\n]*(?=\n|$)(?![^]*\nfigures: )/, '')
  const takeLast = (title: string) => {
    const at = rest.lastIndexOf(`\n${title}:\n`)
    if (at < 0) return ''
    const part = rest.slice(at + title.length + 3)
    rest = rest.slice(0, at)
    return part
  }
  const error = takeLast('traceback')
  const value = error ? '' : takeLast('value')
  const at = rest.indexOf('\noutput:\n')
  const output = at < 0 ? '' : rest.slice(at + '\noutput:\n'.length)
  const note = (at < 0 ? rest : rest.slice(0, at)).trim().replace(/^error: [^\n]*\n?/, '')
  return { note, output, value, error }
}
