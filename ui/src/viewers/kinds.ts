/** How a file is shown, by its name and, of images and binaries, by its first bytes: what an agent says of a file is not believed. */
export type Kind = 'markdown' | 'text' | 'table' | 'json' | 'image' | 'svg' | 'pdf' | 'html' | 'binary'

/** Kinds that a person may also see as they are written. */
export const HAS_SOURCE = new Set<Kind>(['markdown', 'table', 'json', 'svg', 'html'])

const MB = 1_000_000
/** Up to how many bytes a kind is fetched and shown without being asked for. */
export const SHOWN_UNASKED: Record<Kind, number> = {
  markdown: 2 * MB,
  text: 5 * MB,
  table: 20 * MB,
  json: 5 * MB,
  image: 20 * MB,
  svg: 5 * MB,
  pdf: 30 * MB,
  html: 5 * MB,
  binary: 0,
}
/** Over this a browser's tab would suffer: only the download is offered. */
export const SHOWN_AT_MOST: Record<Kind, number> = {
  markdown: 20 * MB,
  text: 120 * MB,
  table: 200 * MB,
  json: 50 * MB,
  image: 100 * MB,
  svg: 20 * MB,
  pdf: 120 * MB,
  html: 20 * MB,
  binary: 0,
}

const BY_ENDING: Record<string, Kind> = {
  md: 'markdown',
  markdown: 'markdown',
  csv: 'table',
  tsv: 'table',
  json: 'json',
  geojson: 'json',
  ipynb: 'json',
  svg: 'svg',
  pdf: 'pdf',
  html: 'html',
  htm: 'html',
  xhtml: 'html',
}
const IMAGES = new Set(['png', 'jpg', 'jpeg', 'gif', 'webp', 'avif', 'bmp', 'ico'])
const TEXTS = new Set(
  (
    'txt log text rst adoc tex bib py pyi r jl js mjs cjs ts tsx jsx java kt kts c h cc cpp cxx hpp cs go rs rb php pl lua swift scala sh bash ' +
    'zsh fish ps1 sql css scss less xml xsl yaml yml toml ini cfg conf env properties jsonl ndjson diff patch vue svelte gradle dockerfile ' +
    'makefile mk cmake gitignore lock srt vtt eml ics vcf graphql proto tf hcl bat'
  ).split(' '),
)

export function ending(filename: string): string {
  const name = filename.slice(filename.lastIndexOf('/') + 1).toLowerCase()
  return name.slice(name.lastIndexOf('.') + 1)
}

/** The kind before the bytes are there. Null where only they can tell. */
export function kindByName(filename: string, mimeType: string | null): Kind | null {
  const end = ending(filename)
  const known = BY_ENDING[end]
  if (known) return known
  if (IMAGES.has(end)) return 'image'
  if (TEXTS.has(end)) return 'text'
  if (mimeType?.startsWith('text/')) return 'text'
  return null
}

const SIGNATURES: [string, number, number[]][] = [
  ['image/png', 0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ['image/jpeg', 0, [0xff, 0xd8, 0xff]],
  ['image/gif', 0, [0x47, 0x49, 0x46, 0x38]],
  ['image/webp', 8, [0x57, 0x45, 0x42, 0x50]],
  ['image/avif', 4, [0x66, 0x74, 0x79, 0x70, 0x61, 0x76, 0x69]],
  ['image/bmp', 0, [0x42, 0x4d]],
  ['image/x-icon', 0, [0x00, 0x00, 0x01, 0x00]],
  ['application/pdf', 0, [0x25, 0x50, 0x44, 0x46, 0x2d]],
]

/** What the first bytes are those of; null for anything that has no signature that we know. */
export function signature(head: Uint8Array): string | null {
  const found = SIGNATURES.find(([, at, bytes]) => bytes.every((byte, index) => head[at + index] === byte))
  return found?.[0] ?? null
}

/** Whether these first bytes are those of a text: no zero byte, and UTF-8 up to a letter that is cut at the end. */
export function looksLikeText(head: Uint8Array): boolean {
  if (head.includes(0)) return false
  try {
    // The last letter may be cut.
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
    return true
  } catch {
    return false
  }
}

/** The kind that is shown, once the bytes are there. A picture or a text that is none falls back to what it is. */
export function kindByBytes(named: Kind | null, head: Uint8Array): Kind {
  const signed = signature(head)
  if (named === 'pdf') return signed === 'application/pdf' ? 'pdf' : looksLikeText(head) ? 'text' : 'binary'
  if (named === 'image') return signed?.startsWith('image/') ? 'image' : looksLikeText(head) ? 'text' : 'binary'
  if (named === null && signed) return signed === 'application/pdf' ? 'pdf' : 'image'
  // Other encodings than UTF-8 are common in tables and texts by their name, and are shown with replacement signs.
  if (head.includes(0) && !isUtf16(head)) return 'binary'
  if (named === null) return looksLikeText(head) ? 'text' : 'binary'
  return named
}

function isUtf16(head: Uint8Array): boolean {
  return (head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)
}

/** The text of bytes: UTF-8, UTF-16 where a mark says so, else Windows-1252, which is what old spreadsheets write. */
export function textOf(bytes: Uint8Array): string {
  if (isUtf16(bytes)) return new TextDecoder(bytes[0] === 0xff ? 'utf-16le' : 'utf-16be').decode(bytes)
  const encoding = looksLikeText(bytes.subarray(0, 100_000)) ? 'utf-8' : 'windows-1252'
  return new TextDecoder(encoding).decode(bytes)
}
