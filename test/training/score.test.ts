import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Loss } from '../../runtime/core/definition.ts'
import { createScorer } from '../../runtime/training/score.ts'

const test = suite('training/score')

type Row = [outputs: number[], targets: number[]]
const cases: [what: string, loss: Loss, rows: Row[], accuracy: number | null][] = [
  ['nothing', 'softmax-cross-entropy', [], null],
  ['nothing', 'mean-squared-error', [], null],
  [
    'the largest output',
    'softmax-cross-entropy',
    [
      [
        [1, 3, 2],
        [0, 1, 0],
      ],
      [
        [1, 3, 2],
        [0, 0, 1],
      ],
    ],
    0.5,
  ],
  [
    'every decision',
    'binary-cross-entropy',
    [
      [
        [2, -1],
        [1, 0],
      ],
      [
        [2, -1],
        [1, 1],
      ],
    ],
    0.75,
  ],
  [
    'numbers that are met',
    'mean-squared-error',
    [
      [
        [1, 5],
        [1, 5],
      ],
      [
        [2, 7],
        [2, 7],
      ],
    ],
    1,
  ],
  // Around the mean 2 the targets vary by 2 in all, and the outputs miss them by 0.5.
  [
    'numbers that are missed',
    'mean-squared-error',
    [
      [[1.5], [1]],
      [[2.5], [3]],
    ],
    1 - 0.5 / 2,
  ],
  [
    'the mean of numbers',
    'mean-squared-error',
    [
      [[2], [1]],
      [[2], [3]],
    ],
    0,
  ],
  [
    'targets that do not vary and are missed',
    'mean-squared-error',
    [
      [[2], [1]],
      [[1], [1]],
    ],
    0,
  ],
]

for (const [what, loss, rows, accuracy] of cases) {
  test(`${loss}: ${what}`, () => {
    const scorer = createScorer(loss, 0)
    for (const [outputs, targets] of rows) scorer.add(outputs, Float32Array.from(targets))
    assert.equal(scorer.accuracy(), accuracy)
  })
}

test('probabilities are judged at another threshold than scores', () => {
  const scorer = createScorer('binary-cross-entropy', 0.5)
  scorer.add([0.4, 0.6], Float32Array.of(0, 1))
  assert.is(scorer.accuracy(), 1)
})

test.run()
