import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { textOf } from './kinds'
import { inertDocument, inertPicture, styleNonce } from './inert_html'
import './frame_view.css'

/** HTML or SVG in a frame of opaque origin that may do nothing at all. */
export default function FrameView({ bytes, kind, label }: { bytes: Uint8Array; kind: 'html' | 'svg'; label: string }) {
  const { t } = useTranslation('files')
  const content = useMemo(
    () => (kind === 'svg' ? inertPicture(bytes, label) : inertDocument(textOf(bytes), styleNonce())),
    [bytes, kind, label],
  )
  return (
    <div className="frame-view">
      <p className="viewer-line">{t(kind === 'svg' ? 'frameSvg' : 'frameHtml')}</p>
      <iframe
        className={`frame frame-${kind}`}
        title={label}
        sandbox=""
        referrerPolicy="no-referrer"
        srcDoc={content}
      />
    </div>
  )
}
