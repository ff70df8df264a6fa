import {
  File,
  FileCode2,
  FileImage,
  FileJson2,
  FileSpreadsheet,
  FileText,
  FileType2,
  Folder,
  Link2,
  type LucideIcon,
} from 'lucide-react'
import { kindByName, type Kind } from '@/viewers/kinds'
import { languageOf } from '@/viewers/languages'

const ICONS: Record<Kind, LucideIcon> = {
  markdown: FileText,
  text: FileText,
  table: FileSpreadsheet,
  json: FileJson2,
  image: FileImage,
  svg: FileImage,
  pdf: FileType2,
  html: FileCode2,
  binary: File,
}

export function FileIcon({ name, mimeType, kind }: { name: string; mimeType: string | null; kind?: string }) {
  const known = kindByName(name, mimeType)
  const Icon =
    kind === 'folder'
      ? Folder
      : kind === 'link'
        ? Link2
        : known === 'text' && languageOf(name)
          ? FileCode2
          : known
            ? ICONS[known]
            : File
  return <Icon size={18} aria-hidden className="file-icon" />
}
