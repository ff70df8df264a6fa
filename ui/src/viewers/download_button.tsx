import { Download } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Button, IconButton } from '@/kit/button'
import { useNotices } from '@/kit/notices'
import { save } from './bytes'
import { plainName, tameName } from './file_name'
import { useFetchFile, type FileRef } from './use_bytes'

/** Saves a file that is what was recorded, under a name that no system stumbles over. */
export function DownloadButton({ file, iconOnly, name }: { file: FileRef; iconOnly?: boolean; name?: string }) {
  const { t } = useTranslation(['files', 'common'])
  const fetchFile = useFetchFile()
  const { tell, tellProblem } = useNotices()
  const [loaded, setLoaded] = useState<number | null>(null)
  const ends = useRef<AbortController | null>(null)
  useEffect(() => () => ends.current?.abort(), [])
  const download = async () => {
    const mine = new AbortController()
    ends.current = mine
    setLoaded(0)
    try {
      const fetched = await fetchFile(file, mine.signal, (count) => setLoaded(count))
      if (fetched.genuine === 'no') throw Object.assign(new Error(t('differsText')), { code: 'AR005' })
      save(fetched.blob, name ?? tameName(file.filename))
      tell(t('downloaded', { name: plainName(name ?? tameName(file.filename)) }))
    } catch (error) {
      if (!mine.signal.aborted) tellProblem(error)
    } finally {
      setLoaded(null)
    }
  }
  if (iconOnly)
    return (
      <IconButton
        label={t('downloadName', { name: plainName(file.filename) })}
        aria-busy={loaded !== null || undefined}
        disabled={file.is_stored === false}
        onClick={() => (loaded === null ? void download() : ends.current?.abort())}
      >
        <Download size={18} aria-hidden />
      </IconButton>
    )
  const percent =
    loaded !== null && file.file_size > 1_000_000 ? ` ${Math.floor((100 * loaded) / file.file_size)} %` : ''
  return (
    <Button
      icon={<Download size={16} aria-hidden />}
      busy={loaded !== null}
      disabled={file.is_stored === false}
      onClick={() => void download()}
    >
      {t('common:download')}
      {percent}
    </Button>
  )
}
