import { expect, it } from 'vitest'
import { exactPieces, hiddenCount } from './exact'

const shown = (text: string) =>
  exactPieces(text)
    .map((piece) => (piece.hidden ? `[${piece.text}]` : piece.text))
    .join('')

it('spells out every character that could hide something', () => {
  expect(shown('rm \u202e gpj.exe')).toBe('rm [U+202E] gpj.exe')
  expect(shown('a\u200b\u200b\u200bb')).toBe('a[U+200B×3]b')
  expect(shown('\u0000\u001b[31m')).toBe('[U+0000][U+001B][31m')
  expect(shown('a\u00a0b\u3164c\u034fd\u{e0041}\ufeff')).toBe('a[U+00A0]b[U+3164]c[U+034F]d[U+E0041][U+FEFF]')
  expect(shown('\ud800x')).toBe('[U+D800]x')
  expect(shown('over\rwritten')).toBe('over[U+000D]written')
  expect(exactPieces('\u202e')[0]!.hidden).toBe('U+202E RIGHT-TO-LEFT OVERRIDE')
})

it('leaves everything else as it is', () => {
  for (const text of ['', 'ls -la\n\tcd ..\r\necho', 'ñandú ß 漢字 العربية עברית', '👩‍💻 ❤️ 🇪🇸'])
    expect(
      exactPieces(text)
        .map((piece) => piece.text)
        .join(''),
    ).toBe(text)
  expect(hiddenCount('plain text, twice  spaced')).toBe(0)
})

it('ends soon on a text that is nothing but hidden', () => {
  const text = '\u200b\u200c'.repeat(100_000)
  const pieces = exactPieces(text)
  expect(pieces.length).toBeLessThan(2_100)
  expect(pieces.at(-1)!.text).not.toMatch(/\u200b|\u200c/)
})
