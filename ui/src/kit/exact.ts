/** A piece of a text: as it is, or characters that are not seen as themselves, spelled out. */
export interface Piece {
  text: string
  /** The characters' name, where they are spelled out. */
  hidden?: string
}

// Controls, formats (turned writing direction, no width), surrogates without a partner, private and unassigned ones, whatever is
// drawn as nothing (fillers, marks that choose a variant, tags), and blanks other than the plain one.
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/u
const RUNS = new RegExp(`(${HIDDEN.source})\\1*`, 'gu')
// So many are marked one by one; a text with more is spelled out as one piece.
const MOST_MARKS = 2_000

const NAMES: Record<number, string> = {
  0x00: 'NULL',
  0x08: 'BACKSPACE',
  0x0d: 'CARRIAGE RETURN',
  0x1b: 'ESCAPE',
  0x7f: 'DELETE',
  0xa0: 'NO-BREAK SPACE',
  0xad: 'SOFT HYPHEN',
  0x200b: 'ZERO WIDTH SPACE',
  0x200c: 'ZERO WIDTH NON-JOINER',
  0x200d: 'ZERO WIDTH JOINER',
  0x200e: 'LEFT-TO-RIGHT MARK',
  0x200f: 'RIGHT-TO-LEFT MARK',
  0x2028: 'LINE SEPARATOR',
  0x2029: 'PARAGRAPH SEPARATOR',
  0x202a: 'LEFT-TO-RIGHT EMBEDDING',
  0x202b: 'RIGHT-TO-LEFT EMBEDDING',
  0x202c: 'POP DIRECTIONAL FORMATTING',
  0x202d: 'LEFT-TO-RIGHT OVERRIDE',
  0x202e: 'RIGHT-TO-LEFT OVERRIDE',
  0x2060: 'WORD JOINER',
  0x2066: 'LEFT-TO-RIGHT ISOLATE',
  0x2067: 'RIGHT-TO-LEFT ISOLATE',
  0x2068: 'FIRST STRONG ISOLATE',
  0x2069: 'POP DIRECTIONAL ISOLATE',
  0xfeff: 'ZERO WIDTH NO-BREAK SPACE',
}

const spelled = (character: string): string =>
  `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`

/** A text as it really is: every character that could hide something is spelled out. Nothing is left out or added. */
export function exactPieces(text: string): Piece[] {
  const pieces: Piece[] = []
  let from = 0
  let marks = 0
  for (const match of text.matchAll(RUNS)) {
    const run = match[0]
    const character = match[1]!
    if (isSeen(character, run, text, match.index)) continue
    if (++marks > MOST_MARKS) break
    if (match.index > from) pieces.push({ text: text.slice(from, match.index) })
    const count = run.length / character.length
    const name = [spelled(character), NAMES[character.codePointAt(0)!]].filter(Boolean).join(' ')
    pieces.push({ text: count > 1 ? `${spelled(character)}×${count}` : spelled(character), hidden: name })
    from = match.index + run.length
  }
  if (marks > MOST_MARKS) {
    const rest = text
      .slice(from)
      .replace(new RegExp(HIDDEN.source, 'gu'), (one) => (one === '\n' || one === '\t' ? one : `⟨${spelled(one)}⟩`))
    return [...pieces, { text: rest }]
  }
  if (from < text.length) pieces.push({ text: text.slice(from) })
  return pieces
}

/** Line breaks and tabs are seen as what they are, and so are the parts that an emoji is joined of. */
function isSeen(character: string, run: string, text: string, index: number): boolean {
  if (character === '\n' || character === '\t') return true
  if (run.length > 1) return false
  if (character === '\r') return text[index + 1] === '\n'
  return (
    (character === '\ufe0f' || character === '\u200d') &&
    /\p{Extended_Pictographic}\p{M}?$/u.test(text.slice(Math.max(0, index - 3), index))
  )
}

/** How many characters of a text are not seen as themselves. */
export const hiddenCount = (text: string): number => exactPieces(text).filter((piece) => piece.hidden).length
