import type { replay as english } from '../en/replay'
import type { Same } from '../same'

export const replay: Same<typeof english> = {}
