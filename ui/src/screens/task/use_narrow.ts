import { useSyncExternalStore } from 'react'

const narrow = window.matchMedia('(max-width: 999px)')

/** Whether there is room for one column alone. */
export function useNarrow(): boolean {
  return useSyncExternalStore(
    (tell) => {
      narrow.addEventListener('change', tell)
      return () => narrow.removeEventListener('change', tell)
    },
    () => narrow.matches,
  )
}
