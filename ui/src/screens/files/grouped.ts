import type { FileVersion } from './rows'

/** A path of a workspace with its versions, the newest first. */
export interface Path {
  filename: string
  newest: FileVersion
  /** The newest version that has bytes; of a removed file, what it was. */
  content: FileVersion | null
  versions: FileVersion[]
  isRemoved: boolean
  wasGiven: boolean
}

export interface Folder {
  name: string
  path: string
  folders: Folder[]
  paths: Path[]
}

export function pathsOf(versions: readonly FileVersion[]): Path[] {
  const byName = new Map<string, FileVersion[]>()
  for (const version of versions) {
    const known = byName.get(version.filename)
    if (known) known.push(version)
    else byName.set(version.filename, [version])
  }
  return [...byName].map(([filename, all]) => {
    all.sort((a, b) => b.version - a.version)
    const newest = all[0]!
    return {
      filename,
      newest,
      content: all.find((version) => version.kind === 'file') ?? null,
      versions: all,
      isRemoved: newest.kind === 'removed',
      wasGiven: all[all.length - 1]!.uploaded_by !== null,
    }
  })
}

/** Paths as a tree of folders, in the order of names; a folder that holds one folder alone is drawn as one with it. */
export function treeOf(paths: readonly Path[]): Folder {
  const root: Folder = { name: '', path: '', folders: [], paths: [] }
  const known = new Map<string, Folder>([['', root]])
  const folderAt = (path: string): Folder => {
    const found = known.get(path)
    if (found) return found
    const cut = path.lastIndexOf('/')
    const made: Folder = { name: path.slice(cut + 1), path, folders: [], paths: [] }
    known.set(path, made)
    folderAt(path.slice(0, Math.max(0, cut))).folders.push(made)
    return made
  }
  for (const path of paths) {
    const cut = path.filename.lastIndexOf('/')
    if (path.newest.kind === 'folder') folderAt(path.filename)
    else folderAt(cut < 0 ? '' : path.filename.slice(0, cut)).paths.push(path)
  }
  const sort = (folder: Folder) => {
    folder.folders.sort((a, b) => a.name.localeCompare(b.name))
    folder.paths.sort((a, b) => a.filename.localeCompare(b.filename))
    folder.folders.forEach(sort)
    folder.folders = folder.folders.map(joined)
  }
  sort(root)
  return root
}

function joined(folder: Folder): Folder {
  const [only] = folder.folders
  return only && folder.folders.length === 1 && folder.paths.length === 0
    ? { ...only, name: `${folder.name}/${only.name}` }
    : folder
}
