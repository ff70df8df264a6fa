import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import './json.css'

const SHOWN = 100
const LONG_TEXT = 2_000

/** Any JSON, as a tree that opens and closes. Large lists and texts are shown in part until more is asked for. */
export function JsonView({ value, name, depth = 0 }: { value: unknown; name?: string; depth?: number }) {
  if (value !== null && typeof value === 'object') return <Branch value={value} name={name} depth={depth} />
  return (
    <div className="json-line">
      {name !== undefined && <span className="json-key">{name}: </span>}
      <Leaf value={value} />
    </div>
  )
}

function Branch({ value, name, depth }: { value: object; name?: string; depth: number }) {
  const { t } = useTranslation()
  const [open, setOpen] = useState(depth < 2)
  const [shown, setShown] = useState(SHOWN)
  const isList = Array.isArray(value)
  const entries = isList ? value.map((item, index) => [String(index), item] as const) : Object.entries(value)
  const size = isList ? `[${entries.length}]` : `{${entries.length}}`
  if (entries.length === 0)
    return (
      <div className="json-line">
        {name !== undefined && <span className="json-key">{name}: </span>}
        {isList ? '[]' : '{}'}
      </div>
    )
  return (
    <div className="json-branch">
      <button type="button" className="json-toggle" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span aria-hidden>{open ? '▾' : '▸'}</span> {name !== undefined && <span className="json-key">{name}</span>}{' '}
        <span className="json-size">{size}</span>
      </button>
      {open && (
        <div className="json-children">
          {entries.slice(0, shown).map(([key, item]) => (
            <JsonView key={key} name={key} value={item} depth={depth + 1} />
          ))}
          {entries.length > shown && (
            <button type="button" className="json-more" onClick={() => setShown(shown + 10 * SHOWN)}>
              {t('more')} ({entries.length - shown})
            </button>
          )}
        </div>
      )}
    </div>
  )
}

function Leaf({ value }: { value: unknown }) {
  const { t } = useTranslation()
  const [whole, setWhole] = useState(false)
  if (typeof value !== 'string')
    return <span className={`json-${value === null ? 'null' : typeof value}`}>{String(value)}</span>
  const cut = !whole && value.length > LONG_TEXT
  return (
    <span className="json-string">
      {cut ? value.slice(0, LONG_TEXT) : value}
      {cut && (
        <button type="button" className="json-more" onClick={() => setWhole(true)}>
          … {t('more')}
        </button>
      )}
    </span>
  )
}
