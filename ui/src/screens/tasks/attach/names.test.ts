import { expect, test } from 'vitest'
import { distinct, storageKey, tame } from './names'

// What person/attachments.py and storage.py make of the same names.
const AS_THE_COMMAND_LINE: [given: string, tamed: string, key: string][] = [
  ['report.md', 'report.md', 'report.md'],
  ['données été.csv', 'données été.csv', 'donn_es_t_@885034fdbee5d792.csv'],
  ['a\nb.txt', 'a_b.txt', 'a_b.txt'],
  ['.bashrc', '.bashrc', '_bashrc@b7cf3e96e1f74fc1'],
  ['archive.tar.gz', 'archive.tar.gz', 'archive.tar.gz'],
  ['x'.repeat(300) + '.csv', 'x'.repeat(196) + '.csv', 'x'.repeat(50) + '@c370e9ca92e00b55.csv'],
  ['ü'.repeat(150) + '.md', 'ü'.repeat(98) + '.md', '_@5b341b3f041d5215.md'],
  ['a.' + 'e'.repeat(80), 'a', 'a'],
  ['報告 書.pdf', '報告 書.pdf', '_@4982a656ba39172e.pdf'],
  ['trailing.', 'trailing.', 'trailing_@44c12a4e432eba3f'],
  ['a\u200bb\u2028c', 'a_b_c', 'a_b_c'],
  ['emoji 👩\u200d💻.txt', 'emoji 👩_💻.txt', 'emoji___@b5c14fc3e57b8b39.txt'],
  ['report\u202egnp.html', 'report_gnp.html', 'report_gnp.html'],
  ['%2e%2e%2fescape.txt', '%2e%2e%2fescape.txt', '_2e_2e_2fescape@f5ae93ced129d3e3.txt'],
]

test('names are tamed and keyed as the command line does', () => {
  for (const [given, tamed, key] of AS_THE_COMMAND_LINE) {
    expect(tame(given)).toBe(tamed)
    expect(storageKey(tamed), tamed).toBe(key)
  }
})

test('no name leads out of the folder', () => {
  for (const name of ['..', '.', '', '../../etc/passwd', '..\\..\\boot.ini', 'a/b', '\ud800.txt'])
    expect(tame(name)).toMatch(/^(?!\.{1,2}$)[^/\\]+$/)
})

test('names that some file systems would not tell apart are numbered', () => {
  const taken: string[] = []
  for (const name of ['a.txt', 'A.txt', 'a.txt', 'b', 'B']) taken.push(distinct(name, taken))
  expect(taken).toEqual(['a.txt', 'A-2.txt', 'a-3.txt', 'b', 'B-2'])
})
