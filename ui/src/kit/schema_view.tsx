import { useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { written } from './form_draft'
import { ExactText, ExactWord } from './exact_text'
import { inOrder, type Json, type JsonObject, type Schema } from './schema'
import { Segments } from './segments'
import './schema_view.css'

/** Exact arguments, whole and safe to judge: by name with the schema's words, or as JSON. */
export function SchemaView({
  schema,
  value,
  label,
  heading,
}: {
  schema: Schema
  value: JsonObject
  label: string
  heading?: ReactNode
}) {
  const { t } = useTranslation('form')
  const [mode, setMode] = useState<'form' | 'json'>('form')
  const known = inOrder(schema).map(([name]) => name)
  // In the order of the schema, then the rest.
  const names = [
    ...known.filter((name) => Object.hasOwn(value, name)),
    ...Object.keys(value).filter((name) => !known.includes(name)),
  ]
  return (
    <div className="schema-view" role="group" aria-label={label}>
      <div className="schema-head">
        {heading}
        <Segments
          label={t('view')}
          value={mode}
          options={[
            ['form', t('asForm')],
            ['json', t('asJson')],
          ]}
          onChange={setMode}
        />
      </div>
      {mode === 'json' ? (
        <ExactText text={written(value)} label={label} />
      ) : names.length === 0 ? (
        <p className="field-hint">{t('noneGiven')}</p>
      ) : (
        <dl className="schema-values">
          {names.map((name) => (
            <div key={name} className="schema-value">
              <dt>
                <ExactWord text={name} />
                {schema.properties && !known.includes(name) && (
                  <span className="schema-optional"> {t('unknownKey')}</span>
                )}
              </dt>
              <dd>
                <Value value={value[name]!} label={name} />
              </dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  )
}

function Value({ value, label }: { value: Json; label: string }) {
  if (typeof value === 'string') return <ExactText text={value} label={label} />
  if (typeof value !== 'object' || value === null) return <code>{String(value)}</code>
  return <ExactText text={written(value)} label={label} />
}
