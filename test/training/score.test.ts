import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Loss } from '../../runtime/core/retraining-definition.ts'
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
    const scorer = createScorer(loss, undefined)
    for (const [outputs, targets] of rows) scorer.add(outputs, Float32Array.from(targets))
    assert.equal(scorer.result().accuracy, accuracy)
    assert.is(scorer.result().count, rows.length)
  })
}

for (const loss of ['softmax-cross-entropy', 'binary-cross-entropy', 'mean-squared-error'] as const) {
  test(`${loss}: outputs that are no numbers are wrong, by numbers`, () => {
    const scorer = createScorer(loss, undefined)
    scorer.add([Number.NaN, Number.NaN], Float32Array.of(1, 0))
    scorer.add([Number.POSITIVE_INFINITY, Number.NaN], Float32Array.of(0, 1))
    const { accuracy, loss: mean } = scorer.result()
    assert.ok(accuracy !== null && accuracy <= 0.25, `${accuracy}`)
    assert.ok(Number.isFinite(accuracy) && Number.isFinite(mean))
  })
}

test('probabilities are judged at another threshold than scores', () => {
  const scorer = createScorer('binary-cross-entropy', 'Sigmoid')
  scorer.add([0.4, 0.6], Float32Array.of(0, 1))
  assert.is(scorer.result().accuracy, 1)
  assert.ok(Math.abs((scorer.result().loss ?? 0) + Math.log(0.6)) < 1e-12)
})

for (const [what, activation, outputs, loss] of [
  ['scores', undefined, [0, Math.log(3)], -Math.log(3 / 4)],
  ['probabilities', 'Softmax', [0.25, 0.75], -Math.log(3 / 4)],
  ['a class that the model does not have', undefined, [0, Number.NEGATIVE_INFINITY], -Math.log(1e-7)],
] as const) {
  test(`the loss of ${what} is the cross-entropy of the right label`, () => {
    const scorer = createScorer('softmax-cross-entropy', activation)
    scorer.add(outputs, Float32Array.of(0, 1))
    assert.ok(Math.abs((scorer.result().loss ?? 0) - loss) < 1e-12)
  })
}

test('pictures are scored one by one, so that two models can be compared on the same ones', () => {
  const scorer = createScorer('softmax-cross-entropy', undefined)
  scorer.add([2, 1], Float32Array.of(1, 0))
  scorer.add([2, 1], Float32Array.of(0, 1))
  assert.equal(scorer.result().scores, [1, 0])
  const numbers = createScorer('mean-squared-error', undefined)
  numbers.add([2], Float32Array.of(1))
  numbers.add([2], Float32Array.of(4))
  assert.equal(numbers.result().scores, [-1, -4])
})

test.run()
