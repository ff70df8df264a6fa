import { common } from './common'
import { session } from './session'
import { tasks } from './tasks'
import { task } from './task'
import { replay } from './replay'
import { approvals } from './approvals'
import { files } from './files'
import { admin } from './admin'
import { form } from './form'

export const en = { common, session, tasks, task, replay, approvals, files, admin, form }
