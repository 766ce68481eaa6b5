import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type BestEpoch, isBest, isHopeless } from '../../runtime/training/early-stopping.ts'

const test = suite('training/early-stopping')

/** Epochs that are trained of a run whose validation losses would be these, and the one that is kept. */
function follow(losses: readonly number[], patience: number): [trained: number, kept: number | undefined] {
  let best: BestEpoch | undefined
  for (const [index, loss] of losses.entries()) {
    if (isBest(best, loss)) best = { epoch: index + 1, loss }
    if (isHopeless(best, index + 1, patience)) return [index + 1, best?.epoch]
  }
  return [losses.length, best?.epoch]
}

for (const [what, losses, patience, trained, kept] of [
  ['falling losses', [3, 2, 1], 1, 3, 3],
  ['a loss that rises', [2, 1, 3, 4, 5], 2, 4, 2],
  ['a dip after as many epochs as there is patience for', [2, 3, 1, 4, 4], 2, 5, 3],
  ['equal losses: the first one', [1, 1, 1], 2, 3, 1],
  ['patience without end', [1, 2, 3, 4, 5, 6], 0, 6, 1],
  ['a loss that is no number', [Number.NaN, 2, Number.NaN, 3], 2, 4, 2],
  ['nothing but such', [Number.NaN, Number.NaN], 1, 2, undefined],
] as const) {
  test(`${what}: ${trained} epochs are trained`, () => {
    assert.equal(follow(losses, patience), [trained, kept])
  })
}

test.run()
