import { expect, test } from 'vitest'
import { compare, hunksOf, SIDE_AT_MOST, sideBySide } from './diff_rows'

const lines = (...numbers: number[]) => numbers.map((number) => `line ${number}\n`).join('')
const range = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

test('each line has its numbers and its sign', () => {
  const { rows, added, removed } = compare('a\nb\nc\n', 'a\nB\nc\nd\n')!
  expect([added, removed]).toEqual([2, 1])
  expect(rows.map(({ type, old, now, text }) => [type, old, now, text])).toEqual([
    ['same', 1, 1, 'a'],
    ['removed', 2, null, 'b'],
    ['added', null, 2, 'B'],
    ['same', 3, 3, 'c'],
    ['added', null, 4, 'd'],
  ])
  expect(sideBySide(rows).map(([left, right]) => [left?.text, right?.text])).toEqual([
    ['a', 'a'],
    ['b', 'B'],
    ['c', 'c'],
    [undefined, 'd'],
  ])
})

test('line endings alone are no difference, and an empty side is all added', () => {
  expect(compare('a\r\nb\r\n', 'a\nb\n')).toMatchObject({ added: 0, removed: 0 })
  expect(compare('', 'a\nb')).toMatchObject({ added: 2, removed: 0 })
})

test('unchanged stretches are folded, short ones are not', () => {
  const before = lines(...range(100))
  const after = before.replace('line 50\n', 'changed\n').replace('line 59\n', 'too\n')
  const hunks = hunksOf(compare(before, after)!.rows)
  expect(hunks.map(({ type, rows }) => [type, rows.length])).toEqual([
    ['folded', 46],
    ['shown', 8],
    ['shown', 2],
    ['shown', 8],
    ['folded', 38],
  ])
})

test('what is too large is refused rather than waited for', () => {
  expect(compare('x'.repeat(SIDE_AT_MOST + 1), '')).toBeNull()
})
