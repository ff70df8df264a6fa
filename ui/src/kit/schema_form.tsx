import { Plus, X } from 'lucide-react'
import { useId, useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Button, IconButton } from './button'
import { changed, switched, valueAt, valueOf, type FormDraft } from './form_draft'
import { FormContext, useForm, useWrong, useWrongWords, type FormState } from './form_state'
import { at, inOrder, shapeOf, type Json, type Schema, type Shape, type Wrong } from './schema'
import {
  AbsentField,
  absentWord,
  ChoiceControl,
  Hint,
  JsonField,
  Leaving,
  NullField,
  NumberControl,
  Row,
  rowsFor,
  TextControl,
  type FieldProps,
} from './schema_controls'
import { Segments } from './segments'
import './schema_form.css'

interface SchemaFormProps {
  schema: Schema
  draft: FormDraft
  onChange: (draft: FormDraft) => void
  /** What the fields are called together, for screen readers. */
  label: string
  /** Shown beside the switch. */
  heading?: ReactNode
  /** Show what is wrong with fields that were not touched, too: after an attempt to send. */
  attempted?: boolean
  disabled?: boolean
}

/** A value as a form from its JSON schema, and the same as JSON, with a switch. Nothing is lost by switching. */
export function SchemaForm({
  schema,
  draft,
  onChange,
  label,
  heading,
  attempted = false,
  disabled = false,
}: SchemaFormProps) {
  const { t } = useTranslation('form')
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set())
  const [stuck, setStuck] = useState(false)
  const wrong = useWrong(schema, draft)
  const said = useWrongWords()
  const shown = (place: string) => attempted || touched.has(place) || draft.mode === 'json'
  const state: FormState = {
    root: schema,
    draft,
    disabled,
    touch: (place) => setTouched((old) => (old.has(place) ? old : new Set([...old, place]))),
    errorAt: (place) => {
      if (place in draft.texts) return said.unreadable(draft, place)
      const found = wrong.find((one) => one.at === place)
      return found && shown(place) ? said.wrong(found) : undefined
    },
    change: (next) => {
      setStuck(false)
      onChange(next)
    },
  }
  const unreadable = valueOf(draft)
  const swap = () => {
    const next = switched(draft)
    setStuck(next === draft)
    if (next !== draft) onChange(next)
  }
  return (
    <FormContext value={state}>
      <div className="schema-form" role="group" aria-label={label}>
        <div className="schema-head">
          {heading}
          <Segments
            label={t('view')}
            value={draft.mode}
            options={[
              ['form', t('asForm')],
              ['json', t('asJson')],
            ]}
            onChange={(mode) => mode !== draft.mode && swap()}
          />
        </div>
        {stuck && 'unreadable' in unreadable && (
          <p className="field-error" role="alert">
            {said.draft(draft)} {t('unreadable.first')}
          </p>
        )}
        {draft.mode === 'form' ? (
          <Properties place="" schema={schema} />
        ) : (
          <WholeAsJson wrong={wrong} words={said} label={label} />
        )}
      </div>
    </FormContext>
  )
}

function WholeAsJson({
  wrong,
  words,
  label,
}: {
  wrong: Wrong[]
  words: ReturnType<typeof useWrongWords>
  label: string
}) {
  const { draft, change, disabled } = useForm()
  const id = useId()
  const unreadable = words.draft(draft)
  const problems = unreadable ? [unreadable] : wrong.map((one) => `${one.at.slice(1) || '{}'}: ${words.wrong(one)}`)
  return (
    <div className="field">
      <textarea
        className="control schema-json"
        aria-label={label}
        aria-invalid={problems.length > 0 || undefined}
        aria-describedby={problems.length ? id : undefined}
        spellCheck={false}
        autoCapitalize="off"
        disabled={disabled}
        rows={rowsFor(draft.text, 6, 24)}
        value={draft.text}
        onChange={(event) => change({ ...draft, text: event.target.value })}
      />
      {problems.length > 0 && (
        <ul id={id} className="field-error schema-problems">
          {problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      )}
    </div>
  )
}

/** The fields of an object, known ones first, then those that the schema does not know. */
function Properties({ place, schema, depth = 0 }: { place: string; schema: Schema; depth?: number }) {
  const { draft, errorAt } = useForm()
  const { t } = useTranslation('form')
  const value = valueAt(draft.value, place)
  const known = inOrder(schema)
  const given = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : []
  const missing = (schema.required ?? []).filter((key) => !known.some(([name]) => name === key))
  const others = [...new Set([...given, ...missing])].filter((key) => !known.some(([name]) => name === key))
  // With no fields at all, and where keys of one's own are welcome, the whole is a field.
  if (known.length === 0 && schema.additionalProperties !== false)
    return <JsonField place={place} name={t('json')} schema={schema} />
  return (
    <div className="schema-fields">
      {known.length === 0 && others.length === 0 && <p className="field-hint">{t('noArguments')}</p>}
      {known.map(([name, field]) => (
        <AnyField
          key={name}
          place={at(place, name)}
          name={name}
          schema={field}
          required={!!schema.required?.includes(name)}
          depth={depth}
        />
      ))}
      {others.map((name) => (
        <JsonField
          key={name}
          place={at(place, name)}
          name={name}
          schema={{ description: schema.additionalProperties === false ? undefined : t('unknownKey') }}
          required={missing.includes(name)}
        />
      ))}
      {place && errorAt(place) && (
        <p className="field-error" role="alert">
          {errorAt(place)}
        </p>
      )}
    </div>
  )
}

interface AnyFieldProps {
  place: string
  name: string
  schema: Schema
  required?: boolean
  depth?: number
  /** Items of a list are removed by the list. */
  inList?: boolean
}

function AnyField({ place, name, schema, required, depth = 0, inList }: AnyFieldProps) {
  const { draft, root } = useForm()
  const { t } = useTranslation('form')
  const value = valueAt(draft.value, place)
  const shape = shapeOf(schema, root, value, depth)
  const field = { place, name, schema: shape.schema, required: required || inList, nullable: shape.nullable }
  if (place in draft.texts || shape.kind === 'json') return <JsonField {...field} />
  if (value === null && shape.nullable && shape.kind !== 'choice') return <NullField {...field} shape={shape} />
  if (shape.kind === 'object') {
    if (value === undefined && !field.required) return <AbsentField {...field} start={{}} />
    return (
      <fieldset className="schema-group">
        <legend>{name}</legend>
        <Hint schema={shape.schema} />
        <Leaving {...field} />
        <Properties place={place} schema={shape.schema} depth={depth + 1} />
      </fieldset>
    )
  }
  if (shape.kind === 'list') {
    if (value === undefined && !field.required) return <AbsentField {...field} start={[]} />
    const items = Array.isArray(value) ? value : []
    return <ListField {...field} items={items} itemSchema={shape.schema.items!} depth={depth + 1} />
  }
  return (
    <Row {...field}>
      {(control) =>
        shape.kind === 'choice' || shape.kind === 'boolean' || shape.kind === 'fixed' ? (
          <ChoiceControl {...field} shape={shape} value={value} control={control} />
        ) : shape.kind === 'text' ? (
          <TextControl
            {...field}
            value={value as string | undefined}
            control={control}
            absent={field.required ? '' : absentWord(shape.schema, t)}
          />
        ) : (
          <NumberControl
            {...field}
            value={value as number | string | undefined}
            control={control}
            absent={field.required ? '' : absentWord(shape.schema, t)}
          />
        )
      }
    </Row>
  )
}

function ListField({
  items,
  itemSchema,
  depth,
  ...field
}: FieldProps & { items: Json[]; itemSchema: Schema; depth: number }) {
  const { draft, root, change, disabled, errorAt, touch } = useForm()
  const { t } = useTranslation('form')
  const error = errorAt(field.place)
  const add = () => {
    const { kind, schema } = shapeOf(itemSchema, root, undefined, depth)
    const starts: Partial<Record<Shape['kind'], Json>> = {
      text: '',
      boolean: false,
      list: [],
      object: {},
      choice: schema.enum?.[0],
      fixed: schema.const,
    }
    touch(field.place)
    // An item has to be something: one that cannot be empty begins as null and is told to be wrong.
    change(
      changed(draft, at(field.place, items.length), schema.default ?? starts[kind] ?? (kind === 'json' ? null : '')),
    )
  }
  return (
    <fieldset className="schema-group">
      <legend>{field.name}</legend>
      <Hint schema={field.schema} />
      <Leaving {...field} />
      {items.length === 0 && <p className="field-hint">{t('noItems')}</p>}
      {items.map((_, index) => {
        const name = t('item', { number: index + 1 })
        return (
          // oxlint-disable-next-line react/no-array-index-key -- an item has no name but its place
          <div key={index} className="schema-item">
            <AnyField place={at(field.place, index)} name={name} schema={itemSchema} depth={depth} inList />
            {!disabled && (
              <IconButton
                label={t('remove', { name })}
                onClick={() => change(changed(draft, at(field.place, index), undefined))}
              >
                <X size={16} aria-hidden />
              </IconButton>
            )}
          </div>
        )
      })}
      {!disabled && (
        <Button small className="schema-add" icon={<Plus size={14} aria-hidden />} onClick={add}>
          {t('add')}
          <span className="visually-hidden">{t('addTo', { name: field.name })}</span>
        </Button>
      )}
      {error && (
        <p className="field-error" role="alert">
          {error}
        </p>
      )}
    </fieldset>
  )
}
