import { ScreenHead } from '@/kit/card'

export default function Account() {
  return <ScreenHead title="Account" />
}
