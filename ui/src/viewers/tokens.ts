/** What the highlighter makes of a text: names of what a part is, around texts. */
export interface TokenNode {
  scope?: string
  children: (string | TokenNode)[]
}

/** A piece of a line: what it is, as a class of ours or empty, and its text. */
export type Token = readonly [scope: string, text: string]
export type Line = Token[]

/** A tree of tokens as lines of tokens. */
export function linesOf(root: TokenNode): Line[] {
  const lines: Line[] = [[]]
  const walk = (node: TokenNode, outer: string) => {
    const scope = node.scope ? node.scope.split('.')[0]! : outer
    for (const child of node.children) {
      if (typeof child !== 'string') {
        walk(child, scope)
        continue
      }
      child.split('\n').forEach((text, index) => {
        if (index > 0) lines.push([])
        if (text) lines[lines.length - 1]!.push([scope, text])
      })
    }
  }
  walk(root, '')
  return lines
}
