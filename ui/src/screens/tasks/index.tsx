import { ScreenHead } from '@/kit/card'

export default function Tasks() {
  return <ScreenHead title="Tasks" />
}
