import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'

// As `agent-runtime submit` names what it uploads (person/attachments.py, storage.py): the two are compared by a test.
const NAME_BYTES = 200
const KEY_CHARACTERS = 100
const PLAIN_KEY = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?=[A-Za-z0-9_-]))*$/
const encoder = new TextEncoder()

function parts(name: string): [stem: string, suffix: string] {
  const dot = name.lastIndexOf('.')
  return dot > 0 && dot < name.length - 1 ? [name.slice(0, dot), name.slice(dot)] : [name, '']
}

/** A name without folders, control characters or what cannot be seen, short enough for every file system. */
export function tame(given: string): string {
  const seen = given.replace(/[\p{C}\p{Z}/\\]/gu, (character) => (character === ' ' ? ' ' : '_'))
  const [stem, suffix] = parts(/^\.*$/.test(seen) ? 'file' : seen)
  const kept = encoder.encode(suffix).length <= NAME_BYTES / 4 ? suffix : ''
  let room = NAME_BYTES - encoder.encode(kept).length
  let short = ''
  for (const character of stem) {
    room -= encoder.encode(character).length
    if (room < 0) break
    short += character
  }
  return short + kept
}

/** The same, or numbered when it is taken: some file systems do not tell Report.md from report.md. */
export function distinct(name: string, taken: Iterable<string>): string {
  const others = new Set([...taken].map((one) => one.toLowerCase()))
  const [stem, suffix] = parts(name)
  let candidate = name
  for (let number = 2; others.has(candidate.toLowerCase()); number++) candidate = `${stem}-${number}${suffix}`
  return candidate
}

/** A key of Storage for a name: ASCII, one segment, a different one for each name. */
export function storageKey(filename: string): string {
  if (filename.length <= KEY_CHARACTERS && PLAIN_KEY.test(filename)) return filename
  const digest = bytesToHex(sha256(encoder.encode(filename))).slice(0, 16)
  const [stem, suffix] = parts(filename)
  const plain = stem.replace(/[^A-Za-z0-9_-]+/g, '_').slice(0, KEY_CHARACTERS / 2)
  return `${plain}@${digest}${/^\.[A-Za-z0-9]{1,10}$/.test(suffix) ? suffix : ''}`
}
