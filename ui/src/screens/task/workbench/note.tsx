import { LongMarkdown } from '../long_text'
import { listOf, textOf, type ViewProps } from './view'

/** What the agent said or planned. */
export default function Note({ args }: ViewProps) {
  const text = textOf(args.question) || textOf(args.text) || textOf(args.answer)
  const phases = listOf(args.phases).filter((phase): phase is string => typeof phase === 'string')
  return (
    <>
      {text && <LongMarkdown text={text} />}
      {phases.length > 0 && (
        <ol className="bench-phases">
          {phases.map((phase, index) => (
            <li key={index}>{phase}</li>
          ))}
        </ol>
      )}
    </>
  )
}
