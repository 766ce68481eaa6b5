import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Loss } from '../../runtime/core/definition.ts'
import { expectedLabel, targetsOf } from '../../runtime/core/labels.ts'

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

test.run()
