import type { admin as english } from '../en/admin'
import type { Same } from '../same'

export const admin: Same<typeof english> = {}
