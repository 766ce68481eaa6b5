import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { decide, type Evidence } from '../../runtime/retraining/decide.ts'

const test = suite('retraining/decide')

type Accuracy = number | null
/** Accuracies on 50 held-out samples and 200 reference pictures. */
const measured = (heldOut: Accuracy, reference: Accuracy, count = 50) => ({
  heldOut: { accuracy: heldOut, count },
  reference: { accuracy: reference, count: reference === null ? 0 : 200 },
})
const accept = (fields = {}) => ({
  ...{ minGain: 0, maxForgetting: 0.02, significance: 0.05, maxSlowdown: 0.1 },
  ...fields,
})
type Measured = ReturnType<typeof measured>
/** Where the better version is better, the other one is nowhere. */
const compared = (before: Measured, after: Measured, set: keyof Measured) => {
  const gain = Math.round(((after[set].accuracy ?? 0) - (before[set].accuracy ?? 0)) * after[set].count)
  return { better: Math.max(0, gain), worse: Math.max(0, -gain), equal: after[set].count - Math.abs(gain) }
}
const evidence = (before: Measured, after: Measured): Evidence => ({
  before,
  after,
  comparison: {
    heldOut: compared(before, after, 'heldOut'),
    reference: compared(before, after, 'reference'),
  },
  latency: { beforeMs: 10, afterMs: 10.2, ratio: 1.02, rounds: 1 },
})

const cases: [string, [Measured, Measured, ReturnType<typeof accept>], boolean][] = [
  ['better and nothing forgotten', [measured(0.8, 0.99), measured(0.9, 0.99), accept()], true],
  ['better, and a little forgotten', [measured(0.8, 0.99), measured(0.9, 0.97), accept()], true],
  ['better, but too much forgotten', [measured(0.8, 0.99), measured(0.9, 0.96), accept()], false],
  ['equal is no gain', [measured(0.9, 0.99), measured(0.9, 0.99), accept()], false],
  ['worse', [measured(0.9, 0.99), measured(0.88, 0.99), accept()], false],
  [
    'less than the gain asked for',
    [measured(0.8, 0.99), measured(0.84, 0.99), accept({ minGain: 0.05 })],
    false,
  ],
  ['just the gain asked for', [measured(0.8, 0.99), measured(0.9, 0.99), accept({ minGain: 0.1 })], true],
  [
    'equal, where a loss is allowed',
    [measured(0.9, 0.99), measured(0.9, 0.99), accept({ minGain: -0.01 })],
    true,
  ],
  [
    'a loss beyond what is allowed',
    [measured(0.9, 0.99), measured(0.88, 0.99), accept({ minGain: -0.01 })],
    false,
  ],
  ['too few held out to tell', [measured(0.5, 0.99, 4), measured(1, 0.99, 4), accept()], false],
  ['none held out', [measured(null, 0.99, 0), measured(null, 0.99, 0), accept()], false],
  ['no reference set', [measured(0.8, null), measured(0.9, null), accept()], true],
  ['reference measured once only', [measured(0.8, 0.99), measured(0.9, null), accept()], false],
  [
    'better on the reference too',
    [measured(0.8, 0.9), measured(0.9, 0.95), accept({ maxForgetting: 0 })],
    true,
  ],
]
for (const [name, given, promote] of cases) {
  test(`${name}: ${promote ? 'promoted' : 'rejected'}, with a reason`, () => {
    const [before, after, accepted] = given
    const decision = decide(evidence(before, after), accepted)
    assert.is(decision.promote, promote)
    assert.ok(decision.reasons.length > 0)
    for (const reason of decision.reasons) assert.not.match(reason, /NaN|undefined|null/)
  })
}

test('a rejection names what speaks against it, all of it', () => {
  const { reasons } = decide(evidence(measured(0.9, 0.99), measured(0.8, 0.9)), accept())
  assert.is(reasons.length, 2)
  assert.match(reasons[0] ?? '', '0.900 -> 0.800 on 50 samples')
  assert.match(reasons[1] ?? '', 'lost 0.090, allowed 0.02')
})

test('a gain that may be chance is none, unless chance is allowed', () => {
  const few = evidence(measured(0.9, 0.99), measured(0.96, 0.99))
  assert.is(decide(few, accept()).promote, false)
  assert.match(decide(few, accept()).reasons[0] ?? '', 'better on 3 and worse on 0, p = 0.063')
  assert.is(decide(few, accept({ significance: 1 })).promote, true)
  const mixed = { ...few, comparison: { ...few.comparison, heldOut: { better: 13, worse: 10, equal: 27 } } }
  assert.match(decide(mixed, accept({ significance: 0.2 })).reasons[0] ?? '', 'p = 0.27')
})

test('a candidate that takes longer than is allowed is rejected, however good', () => {
  const slow = {
    ...evidence(measured(0.8, 0.99), measured(0.95, 0.99)),
    latency: { beforeMs: 10, afterMs: 11.2, ratio: 1.12, rounds: 5 },
  }
  const { promote, reasons, checks } = decide(slow, accept())
  assert.is(promote, false)
  assert.equal(reasons, [
    'one picture takes 10.00 -> 11.20 ms (p50, best of 5 rounds): 1.120 times, allowed 1.100',
  ])
  assert.equal(
    checks.map(({ check, good }) => `${check} ${good}`),
    ['gain true', 'forgetting true', 'latency false'],
  )
  assert.is(decide(slow, accept({ maxSlowdown: 0.2 })).promote, true)
})

test.run()
