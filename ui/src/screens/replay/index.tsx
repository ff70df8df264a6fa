import { ScreenHead } from '@/kit/card'

export default function Replay() {
  return <ScreenHead title="Replay" />
}
