import type { approvals as english } from '../en/approvals'
import type { Same } from '../same'

export const approvals: Same<typeof english> = {}
