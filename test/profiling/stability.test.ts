import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { haveSettled } from '../../runtime/profiling/stability.ts'

const test = suite('profiling/stability')
const windows = (...figures: [rate: number, p95Ms: number][]) =>
  figures.map(([rate, p95Ms]) => ({ rate, p95Ms }))

const cases: [what: string, figures: [number, number][], settled: boolean][] = [
  ['nothing was measured', [], false],
  [
    'two windows are too few, however alike',
    [
      [100, 10],
      [100, 10],
    ],
    false,
  ],
  [
    'three that are alike',
    [
      [100, 10],
      [104, 10.5],
      [100, 10],
    ],
    true,
  ],
  [
    'a rate that still climbs',
    [
      [100, 10],
      [106, 10],
      [112, 10],
    ],
    false,
  ],
  [
    'a p95 that jumps',
    [
      [100, 10],
      [100, 12],
      [100, 10],
    ],
    false,
  ],
  [
    'what was before the last three does not count',
    [
      [50, 90],
      [100, 10],
      [101, 10],
      [102, 10],
    ],
    true,
  ],
  [
    'no request in any of them',
    [
      [0, NaN],
      [0, NaN],
      [0, NaN],
    ],
    false,
  ],
]
for (const [what, figures, settled] of cases) {
  test(what, () => assert.is(haveSettled(windows(...figures)), settled))
}

test.run()
