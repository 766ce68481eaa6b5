import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Ceiling, ceilingInForce, lowerCeiling, noCeiling } from '../../runtime/dispatch/ceiling.ts'
import { type LimitFacts, limitsInForce } from '../../runtime/dispatch/limits-in-force.ts'

const test = suite('dispatch/limits')
const at = '2026-01-02T00:00:00.000Z'

const ceilings: [
  what: string,
  from: Ceiling,
  size: number,
  running: number,
  slots: number | null,
  batch: number | null,
][] = [
  ['a batch that did not fit is halved', noCeiling, 8, 2, null, 4],
  ['halved again when that does not fit either', { ...noCeiling, batch: 4 }, 4, 2, null, 2],
  ['never raised by what was larger', { ...noCeiling, batch: 2 }, 8, 2, null, 2],
  ['a single request lowers the slots below those in use', noCeiling, 1, 3, 2, null],
  ['never below one slot', noCeiling, 1, 1, 1, null],
  ['a batch of two becomes one', noCeiling, 2, 1, null, 1],
]
for (const [what, from, size, running, slots, batch] of ceilings) {
  test(what, () => assert.equal(lowerCeiling(from, { size, running, at }), { slots, batch, at }))
}

test('a profile that was measured later knows better', () => {
  const low = { slots: 1, batch: 1, at }
  assert.equal(ceilingInForce(low, '2026-01-01T00:00:00.000Z'), low)
  assert.equal(ceilingInForce(low, '2026-01-03T00:00:00.000Z'), noCeiling)
  assert.equal(ceilingInForce(low, undefined), low)
})

const facts: LimitFacts = {
  point: { slots: 4, batch: 8 },
  pool: { slots: 4, batch: 8 },
  ceiling: noCeiling,
  heldBack: 0,
}
const limits: [what: string, change: Partial<LimitFacts>, slots: number, batch: number, reasons: number][] = [
  ['the operating point, when nothing is against it', {}, 4, 8, 0],
  ['no more than the pool has', { pool: { slots: 2, batch: 4 } }, 2, 4, 2],
  ['no more than memory had room for', { ceiling: { slots: 3, batch: 2, at } }, 3, 2, 2],
  ['a ceiling above the point changes nothing', { ceiling: { slots: 9, batch: 9, at } }, 4, 8, 0],
  ['slots that the watch holds back', { heldBack: 1 }, 3, 8, 1],
  ['the smallest of all counts', { ceiling: { slots: 2, batch: null, at }, heldBack: 1 }, 1, 8, 2],
  ['one slot stays whatever is held back', { heldBack: 9 }, 1, 8, 1],
]
for (const [what, change, slots, batch, reasons] of limits) {
  test(what, () => {
    const found = limitsInForce({ ...facts, ...change })
    assert.equal(
      [found.slots, found.batch, found.reasons.length],
      [slots, batch, reasons],
      found.reasons.join(),
    )
  })
}

test.run()
