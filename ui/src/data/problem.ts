/** What went wrong, in the words that the screens know. `message` is the database's own, which names what was wrong. */
export type ProblemKind =
  | 'offline'
  | 'unavailable'
  | 'denied'
  | 'signedOut'
  | 'notFound'
  | 'invalid'
  | 'conflict'
  | 'unknown'

export interface Problem {
  kind: ProblemKind
  message: string
}

export class Refused extends Error {
  constructor(
    readonly kind: ProblemKind,
    message: string,
  ) {
    super(message)
  }
}

// The embedded API hides SQLSTATEs that it does not know behind SUP; there the text has to do.
const HIDDEN = 'SUP'
const BY_TEXT: [RegExp, ProblemKind][] = [
  [
    /^limit \w+ (reached: |is a number above 0)|^limits is an object|^there is no limit |^outward permission /,
    'invalid',
  ],
  [/^(there is no |the conversation has no |task \S+ has no )/, 'notFound'],
  [
    /( already|there is nothing to (decide|pause)| it is not (in doubt|paused)| cannot change| is disabled)$| cannot go from | is over$| were changed meanwhile: | already: it needs another | is the last admin of /,
    'conflict',
  ],
  [/ is empty| is not | is taken: | is true or false/, 'invalid'],
]
const BY_CODE: Record<string, ProblemKind> = {
  AR002: 'notFound',
  AR003: 'conflict',
  AR004: 'conflict',
  AR005: 'invalid',
  AR006: 'invalid',
  '42501': 'denied',
  '57014': 'unavailable',
  PGRST116: 'notFound',
  PGRST301: 'signedOut',
  PGRST302: 'signedOut',
  PGRST303: 'signedOut',
}

/** What any thrown thing means: an error of ours, of supabase-js (PostgREST, Auth, Storage) or of fetch. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Refused) return { kind: error.kind, message: error.message }
  const {
    code = '',
    message = '',
    status,
    statusCode,
    hint,
  } = (error ?? {}) as Record<string, string | number | undefined>
  const text = String(message).replace(/^PostgresError: /, '')
  // What browsers say of it helps nobody, and each says it in another way.
  const noAnswer = /failed to fetch|networkerror|load failed/i.test(text)
  if (!navigator.onLine) return { kind: 'offline', message: noAnswer ? '' : text }
  if (noAnswer || error instanceof TypeError) return { kind: 'unavailable', message: noAnswer ? '' : text }
  const known = BY_CODE[String(code)]
  if (known) return { kind: known, message: hint ? `${text} (${hint})` : text }
  if (code === HIDDEN || text !== message) {
    const found = BY_TEXT.find(([pattern]) => pattern.test(text))
    if (found) return { kind: found[1], message: text }
  }
  const http = Number(status ?? statusCode ?? 0)
  if (http === 401 || /jwt expired|invalid jwt/i.test(text)) return { kind: 'signedOut', message: text }
  if (http === 403) return { kind: 'denied', message: text }
  if (http === 404) return { kind: 'notFound', message: text }
  if (http === 413) return { kind: 'invalid', message: text }
  if (http >= 500 || http === 429) return { kind: 'unavailable', message: text }
  if (String(code).startsWith('22') || String(code).startsWith('23')) return { kind: 'invalid', message: text }
  return { kind: 'unknown', message: text || String(error) }
}
