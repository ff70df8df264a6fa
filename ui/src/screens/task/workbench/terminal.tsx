import { useTranslation } from 'react-i18next'
import { Badge } from '@/kit/status'
import { CopyButton } from '@/kit/copy'
import { LongOutput } from './long_output'
import TerminalSession from './terminal_session'
import { textOf, type ViewProps } from './view'

/** A command, what it wrote, and how it ended. */
export default function Terminal(props: ViewProps) {
  return textOf(props.args.session) ? <TerminalSession {...props} /> : <Command {...props} />
}

function Command({ call, args, data, content }: ViewProps) {
  const { t } = useTranslation('task')
  const command = textOf(args.command)
  const { output, errors } = partsOf(content ?? '')
  const code = typeof data?.exit_code === 'number' ? data.exit_code : null
  return (
    <div className="terminal">
      <div className="terminal-command">
        <pre>
          <span className="terminal-sign" aria-hidden>
            ${' '}
          </span>
          {command}
        </pre>
        <CopyButton text={command} />
      </div>
      {output && (
        <LongOutput text={output} label={t('workbench.result')} name={`${call.tool}-${call.id.slice(0, 8)}.txt`} />
      )}
      {errors && (
        <>
          <h4>{t('workbench.errors')}</h4>
          <LongOutput
            text={errors}
            label={t('workbench.errors')}
            name={`${call.tool}-${call.id.slice(0, 8)}-errors.txt`}
          />
        </>
      )}
      {content !== null && !output && !errors && <p className="bench-note">{t('workbench.noOutput')}</p>}
      <p className="terminal-end">
        {code !== null && <Badge tone={code === 0 ? 'good' : 'bad'}>{t('workbench.exitCode', { code })}</Badge>}
        {data?.timed_out === true && <Badge tone="warn">{t('workbench.timedOut')}</Badge>}
        {data?.truncated === true && <span className="bench-quiet">{t('workbench.cut')}</span>}
      </p>
    </div>
  )
}

/** "exit code 0\nstdout:\n…\nstderr:\n…", as the tool tells the model. */
export function partsOf(content: string): { output: string; errors: string } {
  const body = content.replace(/^exit code -?\d+\n?/, '')
  if (body === '(no output)') return { output: '', errors: '' }
  const errorsAt = body.startsWith('stderr:\n') ? 0 : body.indexOf('\nstderr:\n')
  const errors = errorsAt < 0 ? '' : body.slice(body.indexOf('stderr:\n', errorsAt) + 'stderr:\n'.length)
  const output = (errorsAt < 0 ? body : body.slice(0, errorsAt)).replace(/(^|\n)stdout:\n/, '$1')
  return { output, errors }
}
