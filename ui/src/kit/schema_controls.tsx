import { X } from 'lucide-react'
import { useId, useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Button, IconButton } from './button'
import { changed, typedJson, valueAt, written } from './form_draft'
import { useForm } from './form_state'
import { numberTyped, same, type Json, type Schema, type Shape } from './schema'

type Words = ReturnType<typeof useTranslation<'form'>>['t']
export const absentWord = (schema: Schema, t: Words) =>
  schema.default === undefined ? t('notGiven') : t('default', { value: JSON.stringify(schema.default) })

export interface FieldProps {
  place: string
  name: string
  schema: Schema
  required?: boolean
  nullable?: boolean
}

interface Control {
  id: string
  disabled: boolean
  'aria-describedby': string | undefined
  'aria-invalid': boolean | undefined
  'aria-required': boolean | undefined
}

/** The label of a field, its control, its hint, and what is wrong. */
export function Row({ children, ...field }: FieldProps & { children: (control: Control) => ReactNode }) {
  const { errorAt, disabled } = useForm()
  const { t } = useTranslation('form')
  const id = useId()
  const error = errorAt(field.place)
  const hint = field.schema.description
  return (
    <div className="field schema-row">
      <div className="schema-label">
        <label htmlFor={id} className="field-label">
          {field.name}
          {!field.required && <span className="schema-optional"> {t('optional')}</span>}
        </label>
        <Leaving {...field} />
      </div>
      {children({
        id,
        disabled,
        'aria-describedby':
          [hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ') || undefined,
        'aria-invalid': error ? true : undefined,
        'aria-required': field.required || undefined,
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

export function Hint({ schema }: { schema: Schema }) {
  return schema.description ? <p className="field-hint">{schema.description}</p> : null
}

/** What can be done to a field as a whole: leave it out, set it to null. */
export function Leaving({ place, name, schema, required, nullable }: FieldProps) {
  const { draft, change, disabled, touch } = useForm()
  const { t } = useTranslation('form')
  const value = valueAt(draft.value, place)
  if (disabled) return null
  return (
    <span className="schema-leaving">
      {nullable && value !== null && schema.default !== null && (
        <button type="button" className="link-button" onClick={() => change(changed(draft, place, null))}>
          {t('setNull')}
        </button>
      )}
      {!required && (value !== undefined || place in draft.texts) && (
        <IconButton
          label={t('leaveOut', { name })}
          className="schema-small"
          onClick={() => {
            touch(place)
            change(changed(draft, place, undefined))
          }}
        >
          <X size={14} aria-hidden />
        </IconButton>
      )}
    </span>
  )
}

export function TextControl({
  place,
  value,
  control,
  absent,
}: FieldProps & { value: string | undefined; control: Control; absent: string }) {
  const { draft, change, touch } = useForm()
  return (
    <textarea
      {...control}
      className="control schema-text"
      rows={rowsFor(value ?? '', 1, 16)}
      spellCheck={false}
      autoCapitalize="off"
      placeholder={absent}
      value={value ?? ''}
      onBlur={() => touch(place)}
      onChange={(event) => change(changed(draft, place, event.target.value))}
    />
  )
}

export function NumberControl({
  place,
  value,
  control,
  absent,
}: FieldProps & { value: number | string | undefined; control: Control; absent: string }) {
  const { draft, change, touch } = useForm()
  // "1.50" and "1e3" stay as they are typed for as long as they say the value.
  const [typed, setTyped] = useState('')
  const text = numberTyped(typed) === value ? typed : value === undefined ? '' : String(value)
  return (
    <input
      {...control}
      className="control schema-number"
      inputMode="decimal"
      autoComplete="off"
      placeholder={absent}
      value={text}
      onBlur={() => touch(place)}
      onChange={(event) => {
        setTyped(event.target.value)
        change(changed(draft, place, numberTyped(event.target.value)))
      }}
    />
  )
}

const ABSENT = 'absent'

/** One of a few values: those of an enum, yes and no, or the only one. */
export function ChoiceControl({
  place,
  required,
  shape,
  value,
  control,
}: FieldProps & { shape: Shape; value: Json | undefined; control: Control }) {
  const { draft, change, touch } = useForm()
  const { t } = useTranslation('form')
  const { schema, kind } = shape
  const choices: Json[] = kind === 'boolean' ? [true, false] : kind === 'fixed' ? [schema.const!] : [...schema.enum!]
  if (shape.nullable && !choices.includes(null)) choices.push(null)
  const index = choices.findIndex((choice) => same(choice, value))
  const word = (choice: Json) =>
    choice === null
      ? t('null')
      : typeof choice === 'boolean'
        ? t(`${choice}`)
        : typeof choice === 'string'
          ? choice
          : JSON.stringify(choice)
  return (
    <select
      {...control}
      className="control schema-choice"
      value={index < 0 ? ABSENT : String(index)}
      onBlur={() => touch(place)}
      onChange={(event) => {
        touch(place)
        const chosen = event.target.value
        change(changed(draft, place, chosen === ABSENT ? undefined : choices[Number(chosen)]))
      }}
    >
      {(!required || index < 0) && <option value={ABSENT}>{absentWord(schema, t)}</option>}
      {choices.map((choice, position) => (
        <option key={written(choice)} value={position}>
          {word(choice)}
        </option>
      ))}
    </select>
  )
}

export function NullField({ shape, ...field }: FieldProps & { shape: Shape }) {
  const { draft, change, disabled } = useForm()
  const { t } = useTranslation('form')
  const empty: Partial<Record<Shape['kind'], Json>> = {
    text: '',
    list: [],
    object: {},
    boolean: false,
    fixed: shape.schema.const,
  }
  return (
    <Row {...field}>
      {(control) => (
        <div className="schema-null">
          <input {...control} className="control" readOnly value={t('isNull')} />
          {!disabled && (
            <Button small onClick={() => change(changed(draft, field.place, empty[shape.kind] ?? undefined))}>
              {t('giveValue')}
            </Button>
          )}
        </div>
      )}
    </Row>
  )
}

export function AbsentField({ start, ...field }: FieldProps & { start: Json }) {
  const { draft, change, disabled } = useForm()
  const { t } = useTranslation('form')
  return (
    <Row {...field}>
      {(control) => (
        <div className="schema-null">
          <input {...control} className="control" readOnly value={absentWord(field.schema, t)} />
          {!disabled && (
            <Button small onClick={() => change(changed(draft, field.place, field.schema.default ?? start))}>
              {t('giveValue')}
            </Button>
          )}
        </div>
      )}
    </Row>
  )
}

/** Whatever no control can hold. */
export function JsonField(field: FieldProps) {
  const { draft, change, touch } = useForm()
  const { t } = useTranslation('form')
  const value = valueAt(draft.value, field.place)
  const [typed, setTyped] = useState<string | null>(null)
  const kept = draft.texts[field.place]
  // As it was typed, blanks and all, for as long as it says the value.
  const says = typed !== null && kept === undefined && reads(typed, value)
  const text = kept ?? (says ? typed : value === undefined ? '' : written(value))
  const schema = {
    ...field.schema,
    description: [field.schema.description, t('fieldAsJson')].filter(Boolean).join(' · '),
  }
  return (
    <Row {...field} schema={schema}>
      {(control) => (
        <textarea
          {...control}
          className="control schema-json"
          rows={rowsFor(text, 2, 16)}
          spellCheck={false}
          autoCapitalize="off"
          placeholder={absentWord(field.schema, t)}
          value={text}
          onBlur={() => touch(field.place)}
          onChange={(event) => {
            const next = event.target.value
            setTyped(next)
            const isEmpty = !next.trim() && field.place !== ''
            change(isEmpty ? changed(draft, field.place, undefined) : typedJson(draft, field.place, next))
          }}
        />
      )}
    </Row>
  )
}

function reads(text: string, value: Json | undefined): boolean {
  if (!text.trim()) return value === undefined
  try {
    return same(JSON.parse(text) as Json, value)
  } catch {
    return false
  }
}

export function rowsFor(text: string, least: number, most: number): number {
  const lines = text.split('\n', most + 1).reduce((sum, line) => sum + 1 + Math.floor(line.length / 90), 0)
  return Math.min(most, Math.max(least, lines))
}
