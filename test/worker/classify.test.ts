import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { classify } from '../../runtime/worker/classify.ts'

const test = suite('worker/classify')

const labels = ['cat', 'dog', 'bird']

test('raw scores become probabilities, best first', () => {
  const classes = classify(Float32Array.of(1, 3, 2), 'none', labels, 3)
  const sum = Math.exp(1) + Math.exp(3) + Math.exp(2)
  assert.equal(
    classes.map(({ label, index }) => [label, index]),
    [
      ['dog', 1],
      ['bird', 2],
      ['cat', 0],
    ],
  )
  for (const [place, score] of [3, 2, 1].entries()) {
    assert.ok(Math.abs((classes[place]?.score ?? 0) - Math.exp(score) / sum) < 1e-12)
  }
})

for (const activation of ['softmax', 'sigmoid'] as const) {
  test(`the scores of a graph that ends in ${activation} are kept as they are`, () => {
    const scores = Float32Array.of(0.25, 0.7, 0.05)
    assert.equal(classify(scores, activation, labels, 1), [{ label: 'dog', index: 1, score: scores[1] }])
  })
}

test('scores that would overflow an exponential still add up to 1', () => {
  const classes = classify(Float32Array.of(1000, 1001, -1000), 'none', labels, 3)
  const sum = classes.reduce((total, { score }) => total + score, 0)
  assert.ok(Math.abs(sum - 1) < 1e-12)
  assert.is(classes[0]?.label, 'dog')
})

test('a class without a label is called by its index', () => {
  assert.equal(
    classify(Float32Array.of(0, 5), 'none', ['only'], 2).map(({ label }) => label),
    ['1', 'only'],
  )
})

test('more classes than there are give all, and none gives none', () => {
  assert.is(classify(Float32Array.of(1, 2), 'none', labels, 10).length, 2)
  assert.equal(classify(Float32Array.of(1, 2), 'none', labels, 0), [])
})

test.run()
