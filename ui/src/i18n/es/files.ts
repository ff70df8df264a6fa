import type { files as english } from '../en/files'
import type { Same } from '../same'

export const files: Same<typeof english> = {}
