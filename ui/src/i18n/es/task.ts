import type { task as english } from '../en/task'
import type { Same } from '../same'

export const task: Same<typeof english> = {}
