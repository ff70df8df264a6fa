import { Download } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'
import { Confirm } from '@/kit/dialog'
import { bytes, number } from '@/kit/figures'
import { useNotices } from '@/kit/notices'
import { save } from '@/viewers/bytes'
import { tameName } from '@/viewers/file_name'
import { useFetchFile } from '@/viewers/use_bytes'
import type { Path } from './grouped'

/** Saves every current file, one after the other, held against its digest. What git would obey stays out. */
export function DownloadAll({ paths }: { paths: Path[] }) {
  const { t } = useTranslation(['files', 'common'])
  const fetchFile = useFetchFile()
  const { tell, tellProblem } = useNotices()
  const [open, setOpen] = useState(false)
  const [done, setDone] = useState<number | null>(null)
  const ends = useRef<AbortController | null>(null)
  useEffect(() => () => ends.current?.abort(), [])
  const files = paths.flatMap(({ newest, filename }) =>
    newest.kind === 'file' && newest.is_stored && !/(^|\/)\.git\//.test(filename) ? [newest] : [],
  )
  if (files.length < 2) return null
  const total = files.reduce((sum, file) => sum + file.file_size, 0)
  const start = async () => {
    const mine = new AbortController()
    ends.current = mine
    let saved = 0
    try {
      for (const [index, file] of files.entries()) {
        setDone(index)
        // One at a time: the memory of the tab holds one.
        // oxlint-disable-next-line no-await-in-loop
        const fetched = await fetchFile(file, mine.signal)
        if (fetched.genuine === 'no') {
          tellProblem(Object.assign(new Error(`${file.filename}: ${t('differsText')}`), { code: 'AR005' }))
          continue
        }
        // Folders cannot be saved to; their names stay in the file's.
        save(fetched.blob, tameName(file.filename.replaceAll('/', '_')))
        saved += 1
      }
      tell(t('savedAll', { count: saved, number: number(saved) }))
    } catch (error) {
      if (!mine.signal.aborted) tellProblem(error)
    } finally {
      setDone(null)
      setOpen(false)
    }
  }
  return (
    <>
      <Button icon={<Download size={16} aria-hidden />} onClick={() => setOpen(true)}>
        {t('downloadAll')}
      </Button>
      <Confirm
        open={open}
        onOpenChange={(next) => {
          if (!next) ends.current?.abort()
          setOpen(next)
        }}
        title={t('downloadAll')}
        description={t('downloadAllText', { count: files.length, number: number(files.length), size: bytes(total) })}
        confirm={
          done === null ? t('common:download') : t('downloadedOf', { done: number(done), all: number(files.length) })
        }
        busy={done !== null}
        onConfirm={() => void start()}
      />
    </>
  )
}
