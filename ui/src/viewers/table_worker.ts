// Parses CSV away from the page, in pieces, so that the first rows are shown at once and a large file stops nothing.
import Papa from 'papaparse'

export const ROWS_AT_MOST = 100_000
const ROWS_A_PIECE = 5_000
const COLUMNS_AT_MOST = 200
const CELL_AT_MOST = 2_000

export interface TablePiece {
  rows: string[][]
  /** Columns of the widest row, also those that are left out. */
  columns: number
  delimiter: string
  done: boolean
  /** Whether rows or columns were left out. */
  cut: boolean
}

self.onmessage = ({ data }: MessageEvent<{ text: string; delimiter: string }>) => {
  let rows: string[][] = []
  let count = 0
  let columns = 0
  let delimiter = data.delimiter
  let cut = false
  const send = (done: boolean) => {
    self.postMessage({ rows, columns, delimiter, done, cut } satisfies TablePiece)
    rows = []
  }
  Papa.parse<string[]>(data.text, {
    delimiter: data.delimiter,
    skipEmptyLines: 'greedy',
    step: ({ data: row, meta }, parser) => {
      delimiter = meta.delimiter
      if (count >= ROWS_AT_MOST) {
        cut = true
        parser.abort()
        return
      }
      count += 1
      columns = Math.max(columns, row.length)
      rows.push(
        row
          .slice(0, COLUMNS_AT_MOST)
          .map((cell) => (cell.length > CELL_AT_MOST ? `${cell.slice(0, CELL_AT_MOST)}…` : cell)),
      )
      if (rows.length >= ROWS_A_PIECE) send(false)
    },
    complete: () => send(true),
  })
}
