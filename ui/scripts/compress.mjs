// Beside each asset its .br and .gz, so that the server never compresses: `node scripts/compress.mjs`, after the build.
// index.html is left out: the server writes into it.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const folder = new URL('../dist/', import.meta.url).pathname
const compressible = /\.(js|mjs|css|svg|json|wasm|txt|map|webmanifest)$/
const atLeastBytes = 1024
// The highest, 11, takes three times as long for a 50th less.
const quality = 10

const names = (await readdir(folder, { recursive: true })).filter((name) => compressible.test(name))
await Promise.all(names.map((name) => compress(join(folder, name))))

async function compress(file) {
  const content = await readFile(file)
  if (content.length < atLeastBytes) return
  const [br, gz] = await Promise.all([
    promisify(brotliCompress)(content, {
      params: { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: content.length },
    }),
    promisify(gzip)(content, { level: 9 }),
  ])
  await Promise.all([writeFile(`${file}.br`, br), writeFile(`${file}.gz`, gz)])
}
