import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { decide } from '../../runtime/retraining/decide.ts'

const test = suite('retraining/decide')

type Accuracy = number | null
/** Accuracies on 50 held-out samples and 200 reference pictures. */
const measured = (heldOut: Accuracy, reference: Accuracy, count = 50) => ({
  heldOut: { accuracy: heldOut, count },
  reference: { accuracy: reference, count: reference === null ? 0 : 200 },
})
const accept = (fields = {}) => ({ minGain: 0, maxForgetting: 0.02, ...fields })

const cases: [string, Parameters<typeof decide>, boolean][] = [
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
  ['just the gain asked for', [measured(0.9, 0.99), measured(0.95, 0.99), accept({ minGain: 0.05 })], true],
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
    const decision = decide(...given)
    assert.is(decision.promote, promote)
    assert.ok(decision.reasons.length > 0)
    for (const reason of decision.reasons) assert.not.match(reason, /NaN|undefined|null/)
  })
}

test('a rejection names what speaks against it, all of it', () => {
  const { reasons } = decide(measured(0.9, 0.99), measured(0.8, 0.9), accept())
  assert.is(reasons.length, 2)
  assert.match(reasons[0] ?? '', '0.900 -> 0.800 on 50 samples')
  assert.match(reasons[1] ?? '', 'lost 0.090, allowed 0.02')
})

test.run()
