import type { tasks as english } from '../en/tasks'
import type { Same } from '../same'

export const tasks: Same<typeof english> = {}
