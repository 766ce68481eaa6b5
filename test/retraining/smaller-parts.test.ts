import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limitInForce, type MicroBatchLimit, smallerParts } from '../../runtime/retraining/smaller-parts.ts'

const test = suite('retraining/smaller-parts')

const halves: [from: number, to: number | undefined][] = [
  [16, 8],
  [7, 3],
  [2, 1],
  [1, undefined],
]
for (const [from, to] of halves) {
  test(`after ${from} pictures at once come ${to ?? 'none'}`, () => assert.is(smallerParts(from), to))
}

const limit: MicroBatchLimit = { microBatch: 4, memoryBytes: 1000, at: '2026-01-01T00:00:00.000Z' }
const limits: [
  what: string,
  known: MicroBatchLimit | undefined,
  bytes: number | undefined,
  at: number | undefined,
][] = [
  ['nothing is known', undefined, 1000, undefined],
  ['as much memory as then', limit, 1000, 4],
  ['less memory', limit, 500, 4],
  ['a little more', limit, 1250, 4],
  ['much more: it is tried again', limit, 1251, undefined],
  ['no bound now', limit, undefined, 4],
  ['no bound then', { ...limit, memoryBytes: null }, 5000, 4],
]
for (const [what, known, bytes, at] of limits) {
  test(`limit in force: ${what}`, () => assert.is(limitInForce(known, bytes), at))
}

test.run()
