import { expect, test } from 'vitest'
import { plainName, tameName } from './file_name'
import { kindByBytes, kindByName, looksLikeText, textOf } from './kinds'

const bytes = (...values: number[]) => new Uint8Array(values)
const utf8 = (text: string) => new TextEncoder().encode(text)

test.each([
  ['report.MD', null, 'markdown'],
  ['a/b/table.tsv', null, 'table'],
  ['page.html', 'text/plain', 'html'],
  ['Makefile', null, 'text'],
  ['photo.JPG', null, 'image'],
  ['notes', 'text/plain', 'text'],
  ['model.bin', 'application/octet-stream', null],
])('%s is shown as what its name says', (name, mimeType, kind) => {
  expect(kindByName(name, mimeType)).toBe(kind)
})

test('what the bytes are goes before what the name says', () => {
  const png = bytes(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
  expect(kindByBytes('image', png)).toBe('image')
  expect(kindByBytes('image', utf8('<svg onload="x">'))).toBe('text')
  expect(kindByBytes('pdf', utf8('<script>'))).toBe('text')
  expect(kindByBytes('pdf', utf8('%PDF-1.7'))).toBe('pdf')
  expect(kindByBytes('text', bytes(1, 0, 2))).toBe('binary')
  expect(kindByBytes(null, png)).toBe('image')
  expect(kindByBytes(null, utf8('plain'))).toBe('text')
  expect(kindByBytes(null, bytes(0xff, 0x41, 0x80))).toBe('binary')
})

test('a letter that is cut at the end is still text, and old encodings are read', () => {
  expect(looksLikeText(utf8('año').slice(0, 2))).toBe(true)
  expect(textOf(bytes(0xe1, 0x3b))).toBe('á;')
  expect(textOf(bytes(0xff, 0xfe, 0x61, 0x00))).toBe('a')
  expect(textOf(utf8('á'))).toBe('á')
})

test.each([
  ['../../etc/passwd', 'passwd'],
  ['report\u202Egnp.exe', 'reportgnp.exe'],
  ['a\nb\0c.txt', 'abc.txt'],
  ['..', 'file'],
  ['', 'file'],
  ['.bashrc', 'bashrc'],
  ['<img src=x>:"|?*.md', '_img src=x______.md'],
  [`${'n'.repeat(300)}.csv`, `${'n'.repeat(146)}.csv`],
])('%j is saved under a name that no system stumbles over', (name, tame) => {
  expect(tameName(name)).toBe(tame)
})

test('what cannot be seen in a name is spelled out', () => {
  expect(plainName('a\u202Eb\n\u200B.md')).toBe('a\\u{202E}b\\n\\u{200B}.md')
  expect(plainName('año 2024.md')).toBe('año 2024.md')
})
