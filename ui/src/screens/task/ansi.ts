/** A piece of what a program wrote to a terminal, with the colours that it asked for. */
export interface Piece {
  text: string
  /** 0 to 15 of the terminal's colours. */
  colour: number | null
  isBold: boolean
}

// Control sequences, strings to the terminal (titles, links, the clipboard), and single escapes.
// oxlint-disable-next-line no-control-regex
const ESCAPES =
  // oxlint-disable-next-line no-control-regex
  /\u001b\[([0-9;:<=>?]*)[ -/]*([@-~])|\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]?/g
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f]/g

/** Terminal output as pieces of text: colours as numbers, and nothing else of what a terminal would have obeyed. */
export function piecesOf(output: string): Piece[] {
  const pieces: Piece[] = []
  let colour: number | null = null
  let isBold = false
  let at = 0
  const add = (text: string) => {
    const clean = text.replace(/\r\n/g, '\n').replace(CONTROLS, '')
    if (!clean) return
    const last = pieces.at(-1)
    if (last && last.colour === colour && last.isBold === isBold) last.text += clean
    else pieces.push({ text: clean, colour, isBold })
  }
  for (const match of output.matchAll(ESCAPES)) {
    add(output.slice(at, match.index))
    at = match.index + match[0].length
    if (match[2] !== 'm') continue
    const codes = (match[1] || '0').split(/[;:]/).map(Number)
    for (let index = 0; index < codes.length; index += 1) {
      const code = codes[index]!
      if (code === 0) [colour, isBold] = [null, false]
      else if (code === 1) isBold = true
      else if (code === 22) isBold = false
      else if (code === 39) colour = null
      else if (code >= 30 && code <= 37) colour = code - 30
      else if (code >= 90 && code <= 97) colour = code - 82
      else if (code === 38 || code === 48) {
        // One of 256, of which the first 16 are the terminal's; or any colour, which is not taken.
        if (codes[index + 1] === 5) {
          if (code === 38) colour = codes[index + 2]! < 16 ? codes[index + 2]! : null
          index += 2
        } else index += 4
      }
    }
  }
  add(output.slice(at))
  return pieces
}

/** The text alone. */
export function stripAnsi(output: string): string {
  return output.includes('\u001b') ? output.replace(ESCAPES, '') : output
}
