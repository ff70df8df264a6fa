import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'

const SLICE_BYTES = 1024 * 1024

// Beside the page, and a slice at a time: a large file neither freezes it nor fills its memory.
self.onmessage = async ({ data: file }: MessageEvent<File>) => {
  try {
    const hash = sha256.create()
    for (let start = 0; start < file.size; start += SLICE_BYTES)
      hash.update(new Uint8Array(await file.slice(start, start + SLICE_BYTES).arrayBuffer()))
    self.postMessage({ sha256: bytesToHex(hash.digest()) })
  } catch (error) {
    self.postMessage({ error: error instanceof Error ? error.message : String(error) })
  }
}
