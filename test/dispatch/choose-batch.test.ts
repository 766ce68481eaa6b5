import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { chooseBatch, shortRunsTogether } from '../../runtime/dispatch/choose-batch.ts'

const test = suite('dispatch/choose-batch')

/** Each letter waits under its own name; `-` has no key and goes alone. */
const waiting = (letters: string) =>
  Array.from(letters, (letter, at) => ({ key: letter === '-' ? undefined : letter, at }))

const cases: [what: string, letters: string, batch: number, free: number, expected: number[]][] = [
  ['nobody waits: nobody goes', '', 4, 1, []],
  ['without batches the first goes alone', 'aaa', 1, 1, [0]],
  ['those of the first one go with it, in their order', 'abaca', 4, 1, [0, 2, 4]],
  ['never more than the batch', 'aaaaa', 3, 1, [0, 1, 2]],
  ['the first is never passed over, however alone it is', 'baaa', 4, 1, [0]],
  ['what has no key goes alone', '--', 4, 1, [0]],
  ['what has no key is not taken along', 'a-a', 4, 1, [0, 2]],
  ['with several slots free they are shared out', 'aaaa', 8, 2, [0, 1]],
  ['an odd one more goes first', 'aaaaa', 8, 2, [0, 1, 2]],
  ['with a slot for each, each has its own', 'aa', 8, 4, [0]],
]
for (const [what, letters, batch, free, expected] of cases) {
  test(what, () => {
    const chosen = chooseBatch(waiting(letters), { batch, free })
    assert.equal(
      chosen.map(({ at }) => at),
      expected,
    )
  })
}

test('the first who waits may allow more than the batch, never fewer', () => {
  const waiting = (together: number) => Array.from({ length: 6 }, () => ({ key: 'a', together }))
  assert.is(chooseBatch(waiting(4), { batch: 1, free: 1 }).length, 4)
  assert.is(chooseBatch(waiting(1), { batch: 3, free: 1 }).length, 3)
  assert.is(chooseBatch(waiting(4), { batch: 1, free: 3 }).length, 2)
})

const together: [what: string, meanMs: number, deviationMs: number, expected: number][] = [
  ['very short runs: eight at most', 0.05, 0.01, 8],
  ['as many as are done in 2 ms', 0.45, 0, 4],
  ['on the safe side of what varies', 0.3, 0.3, 3],
  ['runs that seldom take long go alone', 0.2, 5, 1],
  ['long runs go alone', 30, 1, 1],
]
for (const [what, meanMs, deviationMs, expected] of together) {
  test(`short runs: ${what}`, () => {
    const time = { meanMs, variance: deviationMs ** 2, runMs: meanMs, runs: 10 }
    assert.is(shortRunsTogether(time), expected)
  })
}

test('short runs: nothing is known, so each goes alone', () => {
  assert.is(shortRunsTogether(undefined), 1)
})

test.run()
