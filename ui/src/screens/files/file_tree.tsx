import { ChevronDown, ChevronRight, Folder as FolderIcon } from 'lucide-react'
import { useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import { Button } from '@/kit/button'
import { Field } from '@/kit/field'
import { bytes } from '@/kit/figures'
import { FileName } from '@/viewers/file_name'
import { FileIcon } from './file_icon'
import { treeOf, type Folder, type Path } from './grouped'

const AT_ONCE = 200
const FILTER_FROM = 12

/** The paths of a task's workspace, in three parts: made, given, removed. */
export function FileTree({ taskId, paths, open }: { taskId: string; paths: Path[]; open: string | null }) {
  const { t } = useTranslation('files')
  const [words, setWords] = useState('')
  const wanted = words.toLowerCase()
  const shown = useMemo(() => paths.filter((path) => path.filename.toLowerCase().includes(wanted)), [paths, wanted])
  const parts = [
    ['madePart', shown.filter((path) => !path.isRemoved && !path.wasGiven), true],
    ['givenPart', shown.filter((path) => !path.isRemoved && path.wasGiven), true],
    [
      'removedPart',
      shown.filter((path) => path.isRemoved),
      shown.some((path) => path.isRemoved && path.filename === open),
    ],
  ] as const
  return (
    <nav className="file-tree" aria-label={t('filesOfTask')}>
      {paths.length >= FILTER_FROM && (
        <Field label={t('searchNames')} hideLabel>
          {(control) => (
            <input
              {...control}
              type="search"
              value={words}
              placeholder={t('searchNames')}
              onChange={(event) => setWords(event.target.value)}
            />
          )}
        </Field>
      )}
      {parts.map(
        ([part, among, isOpen]) =>
          among.length > 0 && (
            <details key={part} open={isOpen || undefined} className="tree-part">
              <summary>
                {t(part)} <span className="tree-count">{among.length}</span>
              </summary>
              <Branch folder={treeOf(among)} taskId={taskId} open={open} />
            </details>
          ),
      )}
      {shown.length === 0 && <p className="tree-nothing">{t('nothingFound')}</p>}
    </nav>
  )
}

function Branch({ folder, taskId, open }: { folder: Folder; taskId: string; open: string | null }) {
  const { t } = useTranslation('files')
  const [shown, setShown] = useState(AT_ONCE)
  return (
    <ul className="tree">
      {folder.folders.map((inner) => (
        <FolderLine key={inner.path} folder={inner} taskId={taskId} open={open} />
      ))}
      {folder.paths.slice(0, shown).map((path) => (
        <FileLine key={path.filename} path={path} taskId={taskId} isOpen={path.filename === open} />
      ))}
      {folder.paths.length > shown && (
        <li>
          <Button small look="ghost" onClick={() => setShown(shown + 5 * AT_ONCE)}>
            {t('moreFiles', { count: folder.paths.length - shown })}
          </Button>
        </li>
      )}
    </ul>
  )
}

function FolderLine({ folder, taskId, open }: { folder: Folder; taskId: string; open: string | null }) {
  const holds = open?.startsWith(`${folder.path}/`) ?? false
  // A folder whose name begins with a dot is seldom what one looks for.
  const [isOpen, setOpen] = useState(holds || !folder.name.startsWith('.'))
  return (
    <li>
      <button type="button" className="tree-folder" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        {isOpen ? <ChevronDown size={16} aria-hidden /> : <ChevronRight size={16} aria-hidden />}
        <FolderIcon size={16} aria-hidden />
        <FileName name={folder.name} />
      </button>
      {isOpen && <Branch folder={folder} taskId={taskId} open={open} />}
    </li>
  )
}

function FileLine({ path, taskId, isOpen }: { path: Path; taskId: string; isOpen: boolean }) {
  const { t } = useTranslation('files')
  const line = useRef<HTMLAnchorElement>(null)
  useEffect(() => {
    if (isOpen) line.current?.scrollIntoView({ block: 'nearest' })
  }, [isOpen])
  const { newest, content } = path
  return (
    <li>
      <Link
        ref={line}
        href={`/tasks/${taskId}/files/${(path.isRemoved ? (content ?? newest) : newest).id}`}
        className="tree-file"
        aria-current={isOpen ? 'page' : undefined}
      >
        <FileIcon name={path.filename} mimeType={content?.mime_type ?? null} kind={newest.kind} />
        <span className="tree-name">
          <FileName name={path.filename} folder={false} />
        </span>
        <span className="tree-facts">
          {path.versions.length > 1 && t('versionShort', { version: newest.version })}{' '}
          {content && bytes(content.file_size)}
        </span>
      </Link>
    </li>
  )
}
