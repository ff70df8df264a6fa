import { useTranslation } from 'react-i18next'
import { CopyButton } from '@/kit/copy'
import { Badge } from '@/kit/status'
import { LongOutput } from './long_output'
import { listOf, textOf, type ViewProps } from './view'

const TONES: Record<string, string> = { running: 'info', waiting: 'warn', killed: 'quiet', ended: 'quiet' }
const STATES = ['running', 'waiting', 'killed', 'ended'] as const

/** A call on a session: what was run or typed, what the terminal showed since the last look, and how things stand. */
export default function TerminalSession({ call, args, data, content }: ViewProps) {
  const { t } = useTranslation('task')
  const { note, output, isScreen } = shownOf(content ?? '')
  const typed = [
    textOf(args.text),
    ...listOf(args.keys).map((key) => `[${textOf(key)}]`),
    textOf(args.signal) && `SIG${textOf(args.signal)}`,
  ].filter(Boolean)
  const command = textOf(args.command) || typed.join(' ')
  const code = typeof data?.exit_code === 'number' ? data.exit_code : null
  const state = STATES.find((one) => one === data?.state)
  return (
    <div className="terminal">
      {command && (
        <div className="terminal-command">
          <pre>
            <span className="terminal-sign" aria-hidden>
              {args.command ? '$ ' : '› '}
            </span>
            {command}
          </pre>
          <CopyButton text={command} />
        </div>
      )}
      {output ? (
        <>
          {isScreen && <h4>{t('workbench.screen')}</h4>}
          <LongOutput text={output} label={t('workbench.result')} name={`${call.tool}-${call.id.slice(0, 8)}.txt`} />
        </>
      ) : (
        content !== null && <p className="bench-note">{note || t('workbench.noOutput')}</p>
      )}
      <p className="terminal-end">
        <Badge>{t('workbench.session', { name: textOf(args.session) })}</Badge>
        {state && <Badge tone={TONES[state]}>{t(`workbench.sessionState.${state}`)}</Badge>}
        {code !== null && <Badge tone={code === 0 ? 'good' : 'bad'}>{t('workbench.exitCode', { code })}</Badge>}
      </p>
    </div>
  )
}

/** "session main: exit code 0\noutput:\n…", as the tool tells the model; a refusal is a note alone. */
export function shownOf(content: string): { note: string; output: string; isScreen: boolean } {
  const found = /^session [\w-]+(?::| is ended)[^\n]*\n(output|screen):\n/m.exec(content)
  if (!found) return { note: /\n\(no new output\)$/.test(content) ? '' : content, output: '', isScreen: false }
  return {
    note: content.slice(0, found.index),
    output: content.slice(found.index + found[0].length),
    isScreen: found[1] === 'screen',
  }
}
