import { lazy } from 'react'

// Each screen is fetched when it is first opened; the list of tasks comes with the first load.
export const Task = lazy(() => import('./task'))
export const Replay = lazy(() => import('./replay'))
export const Approvals = lazy(() => import('./approvals'))
export const Files = lazy(() => import('./files'))
export const Admin = lazy(() => import('./admin'))
export const Account = lazy(() => import('./account'))
