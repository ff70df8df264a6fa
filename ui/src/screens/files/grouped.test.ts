import { expect, test } from 'vitest'
import { pathsOf, treeOf } from './grouped'
import type { FileVersion } from './rows'

function version(filename: string, number: number, extra: Partial<FileVersion> = {}): FileVersion {
  return {
    id: `${filename} ${number}`,
    task_id: 't',
    filename,
    original_filename: filename,
    file_path: 'p',
    file_size: 1,
    mime_type: 'text/plain',
    file_hash: null,
    version: number,
    kind: 'file',
    link_target: null,
    is_stored: true,
    is_temporary: false,
    expires_at: null,
    execution_id: 'e',
    uploaded_by: null,
    created_at: '2026-01-01T00:00:00Z',
    ...extra,
  }
}

test('versions of a path stand together, the newest first, and what was removed keeps its content', () => {
  const paths = pathsOf([
    version('a', 1, { uploaded_by: 'person', execution_id: null }),
    version('b', 2, { kind: 'removed' }),
    version('a', 2),
    version('b', 1),
  ])
  expect(paths.map((path) => [path.filename, path.isRemoved, path.wasGiven, path.newest.version])).toEqual([
    ['a', false, true, 2],
    ['b', true, false, 2],
  ])
  expect(paths[1]!.content?.version).toBe(1)
})

test('paths are a tree, in which folders that hold one folder alone are one line', () => {
  const root = treeOf(
    pathsOf([
      version('z.txt', 1),
      version('deep/er/notes.txt', 1),
      version('out/a.txt', 1),
      version('out/more/b.txt', 1),
      version('empty', 1, { kind: 'folder' }),
      version('__proto__/x', 1),
    ]),
  )
  expect(root.folders.map((folder) => folder.name).sort()).toEqual(['__proto__', 'deep/er', 'empty', 'out'])
  expect(root.paths.map((path) => path.filename)).toEqual(['z.txt'])
  expect(root.folders.find((folder) => folder.name === 'out')!.folders.map((folder) => folder.path)).toEqual([
    'out/more',
  ])
})
