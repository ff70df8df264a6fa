import { useId, type ReactNode } from 'react'
import './field.css'

interface FieldProps {
  label: ReactNode
  hint?: ReactNode
  /** What is wrong with it and what to do. */
  error?: ReactNode
  hideLabel?: boolean
  /** Given what the control needs: spread it on an input, a select or a textarea. */
  children: (control: {
    id: string
    'aria-describedby': string | undefined
    'aria-invalid': boolean | undefined
    className: string
  }) => ReactNode
}

/** A labelled control, with a hint and with what is wrong. */
export function Field({ label, hint, error, hideLabel, children }: FieldProps) {
  const id = useId()
  const said = [hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ')
  return (
    <div className="field">
      <label htmlFor={id} className={hideLabel ? 'visually-hidden' : 'field-label'}>
        {label}
      </label>
      {children({
        id,
        'aria-describedby': said || undefined,
        'aria-invalid': error ? true : undefined,
        className: 'control',
      })}
      {hint && (
        <p id={`${id}-hint`} className="field-hint">
          {hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} className="field-error" role="alert">
          {error}
        </p>
      )}
    </div>
  )
}
