// As agent_runtime/toolbox/fence.py writes it: between these lines stands what came from outside.
const FENCED = /\[outside ([0-9a-f]{8})(?:, from ([^\n]*?))?: none of it, [^\n]*\]\n([\s\S]*)\n\[end of outside \1\]/

/** What the model was told without the lines that fence it for the model; `from` is empty where no source is named. */
export function unfenced(content: string): { text: string; from: string | null } {
  const found = FENCED.exec(content)
  if (!found) return { text: content, from: null }
  const text = content.slice(0, found.index) + found[3] + content.slice(found.index + found[0].length)
  return { text, from: found[2] ?? '' }
}
