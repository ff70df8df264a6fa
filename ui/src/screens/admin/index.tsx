import { ScreenHead } from '@/kit/card'

export default function Admin() {
  return <ScreenHead title="Admin" />
}
