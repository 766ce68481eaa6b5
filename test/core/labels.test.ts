import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { expectedLabel, isLabelName, nextLabels, takesLabel, targetsOf } from '../../runtime/core/labels.ts'
import type { Loss } from '../../runtime/core/retraining-definition.ts'

const test = suite('core/labels')
const labels = ['cat', 'dog', 'owl']

const cases: [Loss, string, number[] | undefined][] = [
  ['softmax-cross-entropy', 'dog', [0, 1, 0]],
  ['softmax-cross-entropy', 'cow', undefined],
  ['softmax-cross-entropy', 'cat,dog', undefined],
  ['softmax-cross-entropy', '', undefined],
  ['binary-cross-entropy', 'owl, cat', [1, 0, 1]],
  ['binary-cross-entropy', 'owl', [0, 0, 1]],
  ['binary-cross-entropy', '', [0, 0, 0]],
  ['binary-cross-entropy', 'owl,cow', undefined],
  ['mean-squared-error', '1, -2.5,3e2', [1, -2.5, 300]],
  ['mean-squared-error', '1,2', undefined],
  ['mean-squared-error', '1,2,', undefined],
  ['mean-squared-error', '1,2,three', undefined],
  ['mean-squared-error', '1,2,Infinity', undefined],
  // No float32.
  ['mean-squared-error', '1,2,1e300', undefined],
]

for (const [loss, text, expected] of cases) {
  test(`${loss}: "${text}" is ${expected ? `[${expected}]` : 'no label'}`, () => {
    const made = targetsOf(text, loss, labels)
    assert.equal(made && [...made], expected)
  })
}

test('says what is expected', () => {
  assert.match(expectedLabel('softmax-cross-entropy', labels), 'one of cat, dog, owl')
  assert.match(expectedLabel('binary-cross-entropy', labels), 'any of')
  assert.match(expectedLabel('mean-squared-error', labels), 'a number for each of')
})

test('what may be a class', () => {
  for (const good of ['cat', 'two words', 'Größe 3', '\u732b', 'x'.repeat(100)])
    assert.ok(isLabelName(good), good)
  for (const bad of ['', ' cat', 'a,b', 'a/b', '..', '.hidden', 'a\\b', 'a\nb', 'x'.repeat(101)]) {
    assert.not.ok(isLabelName(bad), JSON.stringify(bad))
  }
})

test('which labels samples may carry is what the retraining wants of the next version', () => {
  const loss = 'softmax-cross-entropy'
  assert.ok(takesLabel('cat', loss, labels, undefined))
  assert.not.ok(takesLabel('cow', loss, labels, undefined))
  assert.ok(takesLabel('cow', loss, labels, ['cat', 'cow']))
  assert.not.ok(takesLabel('dog', loss, labels, ['cat', 'cow']))
  assert.ok(takesLabel('cow', loss, labels, 'open'))
  assert.not.ok(takesLabel('a/b', loss, labels, 'open'))
  assert.ok(takesLabel('cow, cat', 'binary-cross-entropy', labels, 'open'))
  assert.not.ok(takesLabel('1,2', 'mean-squared-error', labels, 'open'))
  assert.match(expectedLabel(loss, labels, 'open'), 'or a new one')
  assert.match(expectedLabel(loss, labels, ['cow']), /^one of cow$/)
})

test('an open retraining adds the labels that enough samples carry, after those that are known', () => {
  const loss = 'softmax-cross-entropy'
  const texts = [
    ...Array(4).fill('typo'),
    ...Array(5).fill('cow'),
    ...Array(9).fill('cat'),
    ...Array(6).fill('ant'),
  ]
  assert.equal(nextLabels(labels, 'open', texts, loss), ['cat', 'dog', 'owl', 'cow', 'ant'])
  assert.equal(nextLabels(labels, undefined, texts, loss), labels)
  assert.equal(nextLabels(labels, ['cow', 'cat'], texts, loss), ['cow', 'cat'])
  const several = Array(5).fill('cat, hen')
  assert.equal(nextLabels(labels, 'open', several, 'binary-cross-entropy'), ['cat', 'dog', 'owl', 'hen'])
})

test.run()
