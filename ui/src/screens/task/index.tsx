import { ScreenHead } from '@/kit/card'

export default function Task() {
  return <ScreenHead title="Task" />
}
