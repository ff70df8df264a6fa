import { describe, expect, it } from 'vitest'
import { piecesOf, stripAnsi } from './ansi'

const ESC = '\u001b'

describe('what a program wrote to a terminal', () => {
  it('has its colours', () => {
    expect(piecesOf(`a${ESC}[31mred${ESC}[1m bold${ESC}[0m${ESC}[92m light${ESC}[39m z`)).toEqual([
      { text: 'a', colour: null, isBold: false },
      { text: 'red', colour: 1, isBold: false },
      { text: ' bold', colour: 1, isBold: true },
      { text: ' light', colour: 10, isBold: false },
      { text: ' z', colour: null, isBold: false },
    ])
  })

  it.each([
    ['a title', `${ESC}]0;title\u0007x`],
    ['a link', `${ESC}]8;;https://evil.example${ESC}\\x${ESC}]8;;${ESC}\\`],
    ['the clipboard', `${ESC}]52;c;eA==\u0007x`],
    ['moves', `${ESC}[2J${ESC}[1;1Hx${ESC}[?25l`],
    ['many colours', `${ESC}[38;5;200m${ESC}[48;2;1;2;3mx`],
    ['a half of one', `x${ESC}[`],
    ['bells and other controls', '\u0007x\u0000\u009b'],
  ])('loses what a terminal would obey: %s', (_, output) => {
    expect(
      piecesOf(output)
        .map(({ text }) => text)
        .join('')
        .replace('[', ''),
    ).toBe('x')
    expect(stripAnsi(output)).not.toContain(ESC)
  })
})
