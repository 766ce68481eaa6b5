import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { chooseBatch } from '../../runtime/dispatch/choose-batch.ts'

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

test.run()
