/** The part of an address that says which screen it is of: beside the list of a task's files another one is opened on the same. */
export function screenOf(path: string): string {
  return path.replace(/^(\/tasks\/[^/]+\/files)\/.*$/, '$1')
}
