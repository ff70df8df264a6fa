import { ScreenHead } from '@/kit/card'

export default function Approvals() {
  return <ScreenHead title="Approvals" />
}
