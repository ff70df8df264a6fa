import { getDocument, GlobalWorkerOptions, TextLayer, type PDFDocumentProxy } from 'pdfjs-dist'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'
import { number } from '@/kit/figures'
import { Loading } from '@/kit/states'
import './frame_view.css'

GlobalWorkerOptions.workerSrc = new URL('pdfjs-dist/build/pdf.worker.min.mjs', import.meta.url).href

const AT_ONCE = 20
/** A page of a hostile size must not take the memory of the tab. */
const PIXELS_AT_MOST = 8_000_000
const WIDTH = 860

/** A PDF's pages as pictures with their text. Its scripts, links, forms and attachments stay out. */
export default function PdfView({ bytes, label }: { bytes: Uint8Array; label: string }) {
  const { t } = useTranslation('files')
  const [opened, setOpened] = useState<PDFDocumentProxy | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const [shown, setShown] = useState(AT_ONCE)
  useEffect(() => {
    // pdf.js takes the bytes away from whoever gives them, so it is given its own.
    const task = getDocument({
      data: bytes.slice(),
      enableXfa: false,
      useWasm: false,
      disableRange: true,
      disableStream: true,
      disableAutoFetch: true,
      stopAtErrors: false,
      maxImageSize: 50_000_000,
      isImageDecoderSupported: true,
      verbosity: 0,
    })
    let over = false
    task.promise.then(
      (pdf) => over || setOpened(pdf),
      (error: Error) => over || setProblem(error.name === 'PasswordException' ? 'password' : 'broken'),
    )
    return () => {
      over = true
      void task.destroy()
    }
  }, [bytes])
  if (problem) return <p className="viewer-note">{t(problem === 'password' ? 'pdfPassword' : 'pdfBroken')}</p>
  if (!opened) return <Loading />
  return (
    <div className="pdf-view">
      <p className="viewer-line">{t('pages', { count: opened.numPages, number: number(opened.numPages) })}</p>
      <div className="pdf-pages" tabIndex={0} role="region" aria-label={label}>
        {Array.from({ length: Math.min(shown, opened.numPages) }, (_, index) => (
          <Page key={index} pdf={opened} page={index + 1} />
        ))}
        {opened.numPages > shown && (
          <Button small onClick={() => setShown(shown + AT_ONCE)}>
            {t('morePages')}
          </Button>
        )}
      </div>
    </div>
  )
}

function Page({ pdf, page }: { pdf: PDFDocumentProxy; page: number }) {
  const { t } = useTranslation('files')
  const frame = useRef<HTMLDivElement>(null)
  const near = useNear(frame)
  const [size, setSize] = useState<{ width: number; height: number }>({ width: WIDTH, height: WIDTH * 1.414 })
  const [failed, setFailed] = useState(false)
  useEffect(() => {
    if (!near || !frame.current) return
    const place = frame.current
    let stop = () => {}
    let over = false
    const draw = async () => {
      const read = await pdf.getPage(page)
      if (over) return
      const plain = read.getViewport({ scale: 1 })
      const scale = Math.min(WIDTH, place.parentElement!.clientWidth - 24) / plain.width
      const viewport = read.getViewport({ scale })
      setSize({ width: viewport.width, height: viewport.height })
      const dense = Math.min(
        window.devicePixelRatio || 1,
        Math.sqrt(PIXELS_AT_MOST / (viewport.width * viewport.height)),
      )
      const canvas = document.createElement('canvas')
      canvas.width = Math.max(1, Math.floor(viewport.width * dense))
      canvas.height = Math.max(1, Math.floor(viewport.height * dense))
      canvas.setAttribute('aria-hidden', 'true')
      const drawing = read.render({ canvas, viewport, transform: [dense, 0, 0, dense, 0, 0] })
      stop = () => drawing.cancel()
      await drawing.promise
      if (over) return
      const text = document.createElement('div')
      text.className = 'pdf-text'
      text.style.setProperty('--total-scale-factor', String(scale))
      place.replaceChildren(canvas, text)
      const layer = new TextLayer({ textContentSource: read.streamTextContent(), container: text, viewport })
      stop = () => layer.cancel()
      await layer.render()
    }
    draw().catch((error: Error) => {
      if (!over && !/Cancelled|Abort/.test(error.name)) setFailed(true)
    })
    return () => {
      over = true
      stop()
    }
  }, [near, pdf, page])
  if (failed) return <p className="viewer-note">{t('pageBroken', { page: number(page) })}</p>
  return (
    <div
      ref={frame}
      className="pdf-page"
      role="group"
      aria-label={t('page', { page: number(page) })}
      style={{ width: size.width, aspectRatio: `${size.width} / ${size.height}` }}
    />
  )
}

/** Whether an element is in view or nearly: pages far down are drawn when one comes there. */
function useNear(element: React.RefObject<HTMLElement | null>): boolean {
  const [near, setNear] = useState(false)
  useEffect(() => {
    if (!element.current) return
    const watch = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && setNear(true), {
      rootMargin: '600px',
    })
    watch.observe(element.current)
    return () => watch.disconnect()
  }, [element])
  return near
}
