import './file_name.css'

// Signs that are not seen, or that turn the order of what is seen: controls, bidirectional overrides, zero widths, and lone halves.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/u
const PIECES = /([\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}])/u

/** A sign that cannot be seen, spelled as in source code. */
export function spelled(sign: string): string {
  if (sign === '\n') return '\\n'
  if (sign === '\r') return '\\r'
  if (sign === '\t') return '\\t'
  return `\\u{${sign.codePointAt(0)!.toString(16).toUpperCase()}}`
}

/** A name as one line in which nothing is hidden, for titles and labels. */
export function plainName(name: string): string {
  return HIDDEN.test(name) ? [...name].map((sign) => (HIDDEN.test(sign) ? spelled(sign) : sign)).join('') : name
}

/** A file's name, whoever chose it: what cannot be seen is spelled out and marked, and its length breaks no layout. */
export function FileName({ name, folder = true }: { name: string; folder?: boolean }) {
  const cut = folder ? name.lastIndexOf('/') + 1 : 0
  const shown = folder ? name : name.slice(name.lastIndexOf('/') + 1)
  return (
    <bdi className="file-name" title={plainName(name)}>
      {cut > 0 && <span className="file-folder">{marked(shown.slice(0, cut))}</span>}
      {marked(shown.slice(cut))}
    </bdi>
  )
}

function marked(text: string) {
  if (!HIDDEN.test(text)) return text
  return text.split(PIECES).map((piece, index) =>
    index % 2 ? (
      <mark key={index} className="file-hidden">
        {spelled(piece)}
      </mark>
    ) : (
      piece
    ),
  )
}

/** A name to save under: the last part alone, without what a system would read as a command, and never hidden. */
export function tameName(name: string): string {
  const last = name.slice(name.lastIndexOf('/') + 1)
  const tame = last
    .normalize('NFC')
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')
    .replace(/[<>:"|?*\\/]/g, '_')
    .replace(/^[\s.]+|[\s.]+$/g, '')
  if (!tame) return 'file'
  if (tame.length <= 150) return tame
  const dot = tame.lastIndexOf('.')
  const end = dot > 0 && tame.length - dot <= 12 ? tame.slice(dot) : ''
  return tame.slice(0, 150 - end.length) + end
}
