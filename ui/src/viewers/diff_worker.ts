import { compare } from './diff_rows'

self.onmessage = ({ data }: MessageEvent<{ before: string; after: string }>) => {
  self.postMessage(compare(data.before, data.after))
}
