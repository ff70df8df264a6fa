import { Maximize2 } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Button } from '@/kit/button'
import { number } from '@/kit/figures'
import { signature } from './kinds'
import './frame_view.css'

/** A picture. Its type is what its first bytes say, whatever its name is. */
export default function ImageView({ bytes, label }: { bytes: Uint8Array<ArrayBuffer>; label: string }) {
  const { t } = useTranslation('files')
  const image = useRef<HTMLImageElement>(null)
  const [size, setSize] = useState<[number, number] | null>(null)
  const [broken, setBroken] = useState(false)
  const [whole, setWhole] = useState(false)
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([bytes], { type: signature(bytes) ?? 'application/octet-stream' }))
    if (image.current) image.current.src = made
    return () => URL.revokeObjectURL(made)
  }, [bytes])
  if (broken) return <p className="viewer-note">{t('brokenImage')}</p>
  return (
    <div className="image-view">
      <div className="viewer-line">
        <span>{size ? t('pixels', { width: number(size[0]), height: number(size[1]) }) : ' '}</span>
        <Button
          small
          look="ghost"
          icon={<Maximize2 size={16} aria-hidden />}
          aria-pressed={whole}
          onClick={() => setWhole(!whole)}
        >
          {t('fullSize')}
        </Button>
      </div>
      <div className={`image-frame ${whole ? 'image-whole' : ''}`} tabIndex={0} role="region" aria-label={label}>
        <img
          ref={image}
          alt={label}
          decoding="async"
          onLoad={({ currentTarget }) => setSize([currentTarget.naturalWidth, currentTarget.naturalHeight])}
          onError={() => setBroken(true)}
        />
      </div>
    </div>
  )
}
