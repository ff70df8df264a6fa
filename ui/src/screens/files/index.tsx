import { ScreenHead } from '@/kit/card'

export default function Files() {
  return <ScreenHead title="Files" />
}
