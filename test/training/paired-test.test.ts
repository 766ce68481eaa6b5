import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { chooseEarlier } from '../../runtime/training/earlier-versions.ts'
import { compareScores, probabilityOfChance } from '../../runtime/training/paired-test.ts'

const test = suite('training/paired-test')

// From the binomial distribution by hand.
for (const [better, worse, expected] of [
  [7, 1, 1 / 256 + 8 / 512],
  [1, 7, 1 - (1 / 256 + 8 / 512)],
  [0, 0, 1],
  [1, 0, 1 / 4],
  [4, 0, 1 / 32],
  [5, 0, 1 / 64],
  [0, 5, 63 / 64],
  [1, 1, 1 / 2],
  [3, 2, (10 / 2 + 5 + 1) / 32],
] as const) {
  test(`${better} better and ${worse} worse: p = ${expected.toFixed(4)}`, () => {
    const found = probabilityOfChance({ better, worse, equal: 100 })
    assert.ok(Math.abs(found - expected) < 1e-12, `${found}`)
  })
}

// Bentur et al. 2009 on the airways of 21 children: table 1 of Fagerland, Lydersen and Laake 2013 and its two-sided mid-p.
test('twice the value is the published 0.039 of 7 against 1 in 21 pairs', () => {
  assert.is((2 * probabilityOfChance({ better: 7, worse: 1, equal: 13 })).toFixed(3), '0.039')
})

test('thousands of pictures give what the normal distribution says', () => {
  const found = probabilityOfChance({ better: 5100, worse: 4900, equal: 0 })
  // z = 200 / sqrt(10000) = 2.
  assert.ok(Math.abs(found - 0.02275) < 1e-4, `${found}`)
})

test('pictures are compared one by one', () => {
  assert.equal(compareScores([1, 0, 0.5, 1], [1, 1, 0.4, 1]), { better: 1, worse: 1, equal: 2 })
})

const version = (accuracy: number, better: number, worse = 0) => ({
  accuracy,
  comparison: { better, worse, equal: 100 - better - worse },
})
for (const [what, current, earlier, chosen] of [
  ['none', 0.7, [], undefined],
  ['one that takes nearly all errors away', 0.7, [version(0.75, 5), version(0.97, 27)], 1],
  ['none that only does better', 0.7, [version(0.9, 20)], undefined],
  ['the best of those that fit', 0.5, [version(0.95, 45), version(0.99, 49)], 1],
  ['none that may be chance', 0.99, [version(1, 1)], undefined],
  ['none beside a perfect one', 1, [version(1, 0)], undefined],
] as const) {
  test(`of earlier versions: ${what}`, () => assert.is(chooseEarlier(current, earlier, 0.05), chosen))
}

test.run()
