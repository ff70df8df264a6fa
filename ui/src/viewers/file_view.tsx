import { Download, FileQuestion, ShieldAlert, ShieldCheck, X } from 'lucide-react'
import { lazy, Suspense, useEffect, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { problemOf } from '@/data/problem'
import { Button } from '@/kit/button'
import { bytes as size } from '@/kit/figures'
import { JsonView } from '@/kit/json'
import { Markdown } from '@/kit/markdown'
import { Progress } from '@/kit/progress'
import { Empty, Loading, ProblemState } from '@/kit/states'
import { save, type Fetched } from './bytes'
import { plainName, tameName } from './file_name'
import { HAS_SOURCE, kindByBytes, kindByName, SHOWN_AT_MOST, SHOWN_UNASKED, textOf, type Kind } from './kinds'
import { languageOf } from './languages'
import { useBytes, type FileRef } from './use_bytes'
import { DownloadButton } from './download_button'
import './file_view.css'

const TextView = lazy(() => import('./text_view'))
const TableView = lazy(() => import('./table_view'))
const ImageView = lazy(() => import('./image_view'))
const FrameView = lazy(() => import('./frame_view'))
const PdfView = lazy(() => import('./pdf_view'))

export interface FileViewProps {
  file: FileRef
  /** What is shown first, for kinds that have a source. */
  mode?: 'preview' | 'source'
}

/** A file's content by its kind, fetched as the person and held against the recorded digest. Nothing in it is ever run. */
export default function FileView({ file, mode = 'preview' }: FileViewProps) {
  return <Viewer key={file.id} file={file} mode={mode} />
}

function Viewer({ file, mode }: Required<FileViewProps>) {
  const { t } = useTranslation(['files', 'common'])
  const named = kindByName(file.filename, file.mime_type)
  const [asked, setAsked] = useState(false)
  const [stopped, setStopped] = useState(false)
  const unasked = SHOWN_UNASKED[named ?? 'text']
  const tooLarge = file.file_size > SHOWN_AT_MOST[named ?? 'text']
  const isStored = file.is_stored !== false
  const wanted = isStored && !tooLarge && !stopped && (asked || file.file_size <= unasked)
  const { bytes, again } = useBytes(file, wanted)
  if (!isStored) return <Empty title={t('notStored')}>{<p>{t('notStoredText')}</p>}</Empty>
  if (tooLarge || !wanted)
    return (
      <Empty title={t(tooLarge ? 'tooLarge' : 'large')} icon={FileQuestion}>
        <p>{t(tooLarge ? 'tooLargeText' : 'largeText', { size: size(file.file_size) })}</p>
        <div className="viewer-actions">
          {!tooLarge && (
            <Button
              onClick={() => {
                setAsked(true)
                setStopped(false)
              }}
            >
              {t('showAnyway')}
            </Button>
          )}
          <DownloadButton file={file} />
        </div>
      </Empty>
    )
  if (bytes.state === 'problem') {
    if (problemOf(bytes.error).kind === 'notFound')
      return (
        <Empty title={t('bytesGone')} icon={FileQuestion}>
          <p>{t('bytesGoneText')}</p>
          <Button onClick={again}>{t('common:retry')}</Button>
        </Empty>
      )
    return <ProblemState error={bytes.error} onRetry={again} />
  }
  if (bytes.state !== 'ready') {
    const loaded = bytes.state === 'loading' ? bytes.loaded : 0
    return (
      <div className="viewer-progress">
        <Progress
          value={file.file_size ? Math.round((100 * loaded) / file.file_size) : null}
          label={t('common:loading')}
        />
        <div className="viewer-line">
          <span>{t('loadedOf', { loaded: size(loaded), size: size(file.file_size) })}</span>
          <Button small look="ghost" icon={<X size={16} aria-hidden />} onClick={() => setStopped(true)}>
            {t('common:cancel')}
          </Button>
        </div>
      </div>
    )
  }
  return <Checked file={file} named={named} fetched={bytes.fetched} mode={mode} />
}

/** What was fetched, with what is known of its being genuine. Bytes that differ are shown only when that is wanted. */
function Checked({
  file,
  named,
  fetched,
  mode,
}: {
  file: FileRef
  named: Kind | null
  fetched: Fetched
  mode: 'preview' | 'source'
}) {
  const { t } = useTranslation(['files', 'common'])
  const [anyway, setAnyway] = useState(false)
  const [content, setContent] = useState<Uint8Array<ArrayBuffer> | null>(null)
  useEffect(() => {
    let over = false
    void fetched.blob.arrayBuffer().then((buffer) => over || setContent(new Uint8Array(buffer)))
    return () => {
      over = true
    }
  }, [fetched])
  const differs = fetched.genuine === 'no'
  return (
    <div className="viewer">
      {differs && (
        <div className="banner tone-bad" role="alert">
          <ShieldAlert size={18} aria-hidden />
          <div className="banner-text">
            <strong>{t('differs')}</strong>
            <span>{t('differsText')}</span>
            <code>{`${t('recorded')} ${file.file_hash}`}</code>
            <code>{`${t('found')} ${fetched.sha256}`}</code>
            <div className="viewer-actions">
              {!anyway && (
                <Button small onClick={() => setAnyway(true)}>
                  {t('showAnyway')}
                </Button>
              )}
              <Button
                small
                icon={<Download size={16} aria-hidden />}
                onClick={() => save(fetched.blob, `${t('unverifiedPrefix')}-${tameName(file.filename)}`)}
              >
                {t('downloadAnyway')}
              </Button>
            </div>
          </div>
        </div>
      )}
      {differs && !anyway ? null : content ? (
        <Content file={file} kind={kindByBytes(named, content.subarray(0, 8_192))} content={content} first={mode} />
      ) : (
        <Loading />
      )}
      {!differs && (
        <p className="viewer-genuine">
          <ShieldCheck size={14} aria-hidden />
          <span>
            {t(`genuine.${fetched.genuine}`)} <code title={fetched.sha256}>{fetched.sha256.slice(0, 12)}</code>
          </span>
        </p>
      )}
    </div>
  )
}

function Content({
  file,
  kind,
  content,
  first,
}: {
  file: FileRef
  kind: Kind
  content: Uint8Array<ArrayBuffer>
  first: 'preview' | 'source'
}) {
  const { t } = useTranslation('files')
  const [mode, setMode] = useState(first)
  const label = t('contentOf', { name: plainName(file.filename) })
  if (content.length === 0) return <Empty title={t('emptyFile')} />
  if (kind === 'binary')
    return (
      <Empty title={t('binary')} icon={FileQuestion}>
        <p>{t('binaryText', { type: file.mime_type || 'application/octet-stream', size: size(file.file_size) })}</p>
        <DownloadButton file={file} />
      </Empty>
    )
  return (
    <>
      {HAS_SOURCE.has(kind) && (
        <div className="segments" role="group" aria-label={t('view')}>
          {(['preview', 'source'] as const).map((one) => (
            <button
              key={one}
              type="button"
              className="segment"
              aria-pressed={mode === one}
              onClick={() => setMode(one)}
            >
              {t(one)}
            </button>
          ))}
        </div>
      )}
      <Suspense fallback={<Loading />}>
        <Shown
          file={file}
          kind={HAS_SOURCE.has(kind) && mode === 'source' ? 'text' : kind}
          content={content}
          label={label}
        />
      </Suspense>
    </>
  )
}

function Shown({
  file,
  kind,
  content,
  label,
}: {
  file: FileRef
  kind: Kind
  content: Uint8Array<ArrayBuffer>
  label: string
}) {
  if (kind === 'image') return <ImageView bytes={content} label={label} />
  if (kind === 'pdf') return <PdfView bytes={content} label={label} />
  if (kind === 'svg' || kind === 'html') return <FrameView bytes={content} kind={kind} label={label} />
  return <OfText file={file} kind={kind} content={content} label={label} />
}

function OfText({ file, kind, content, label }: { file: FileRef; kind: Kind; content: Uint8Array; label: string }) {
  const { t } = useTranslation('files')
  const text = useMemo(() => textOf(content), [content])
  const parsed = useMemo(() => (kind === 'json' ? parse(text) : undefined), [kind, text])
  if (kind === 'markdown')
    return (
      <>
        <div className="viewer-prose">
          <Markdown text={text} />
        </div>
        {text.length > 200_000 && <p className="viewer-note">{t('markdownCut')}</p>}
      </>
    )
  if (kind === 'table') return <TableView text={text} tabs={/\.tsv$/i.test(file.filename)} label={label} />
  if (kind === 'json') {
    if (parsed !== undefined)
      return (
        <div className="viewer-json" tabIndex={0} role="region" aria-label={label}>
          <JsonView value={parsed} />
        </div>
      )
    return (
      <>
        <p className="viewer-note">{t('notJson')}</p>
        <TextView text={text} language={null} label={label} />
      </>
    )
  }
  return <TextView text={text} language={languageOf(file.filename)} label={label} />
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch {
    return undefined
  }
}
