import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { armOf } from '../../runtime/canary/arm-of.ts'
import { type ArmCounts, type CanaryCounts, isFault, noCounts } from '../../runtime/canary/counts.ts'
import {
  type CanaryDecision,
  chanceOfFalseRollback,
  judgeCanary,
  lookCounts,
} from '../../runtime/canary/judge.ts'
import { canarySchema } from '../../runtime/core/canary-schema.ts'
import { CorunError } from '../../runtime/core/errors.ts'
import { seededRandom } from '../../runtime/training/random.ts'

const test = suite('canary/judge')

const arm = (requests: number, more: Partial<ArmCounts> = {}): ArmCounts => ({
  ...{ requests, errors: 0, labelled: 0, right: 0 },
  runMs: Array.from({ length: requests }, (_, n) => 10 + (n % 10)),
  ...more,
})
const slower = (requests: number, times: number) =>
  arm(requests, { runMs: arm(requests).runMs.map(ms => ms * times) })
/** One run in ten takes `ms`. */
const tail = (requests: number, ms: number) =>
  arm(requests, { runMs: arm(requests).runMs.map((own, n) => (n % 10 === 0 ? ms : own)) })
const counts = (
  current: ArmCounts,
  candidate: ArmCounts,
  more: Partial<CanaryCounts> = {},
): CanaryCounts => ({
  ...noCounts(),
  current,
  candidate,
  ...more,
})

interface Case {
  name: string
  counts: CanaryCounts
  options?: Parameters<typeof canarySchema.parse>[0]
  activeMs?: number
  verdict: CanaryDecision['verdict']
  reason?: RegExp
}
const cases: Case[] = [
  { name: 'nothing has happened', counts: noCounts(), verdict: 'go-on' },
  { name: 'half of the requests, all well', counts: counts(arm(2250), arm(250)), verdict: 'go-on' },
  {
    name: 'all requests, all well',
    counts: counts(arm(4500), arm(500)),
    verdict: 'promote',
    reason: /errors 0 of 4500 -> 0 of 500/,
  },
  {
    name: 'run times that hardly vary, and are the same',
    counts: counts(
      arm(2000, { runMs: arm(2000).runMs.map((_, n) => 10 + (n % 7) / 10) }),
      arm(2000, { runMs: arm(2000).runMs.map((_, n) => 10 + (n % 7) / 10) }),
    ),
    options: { requests: 2000 },
    verdict: 'promote',
  },
  {
    name: 'the version that serves fails, the candidate does not',
    counts: counts(arm(2880, { errors: 2880, runMs: [] }), arm(320)),
    options: { requests: 320 },
    verdict: 'promote',
  },
  {
    name: 'every one of the first ten fails',
    counts: counts(arm(90), arm(10, { errors: 10, runMs: [] })),
    verdict: 'roll-back',
    reason: /errors 0 of 90 -> 10 of 10/,
  },
  { name: 'one of the first ten fails', counts: counts(arm(90), arm(10, { errors: 1 })), verdict: 'go-on' },
  {
    name: 'both fail alike',
    counts: counts(arm(4500, { errors: 450 }), arm(500, { errors: 55 })),
    verdict: 'promote',
  },
  {
    name: 'twice as many errors as before',
    counts: counts(arm(4500, { errors: 450 }), arm(500, { errors: 100 })),
    verdict: 'roll-back',
    reason: /^errors /,
  },
  {
    name: 'fewer errors than before',
    counts: counts(arm(900, { errors: 300 }), arm(500)),
    verdict: 'promote',
  },
  { name: 'slower within what is allowed', counts: counts(arm(4500), slower(500, 1.2)), verdict: 'promote' },
  {
    name: 'half as slow again',
    counts: counts(arm(900), slower(160, 1.5)),
    verdict: 'roll-back',
    reason: /p50 of run times 14\.00 -> 21\.00 ms, allowed 1\.25 times/,
  },
  {
    name: 'half as slow again, which is allowed',
    counts: counts(arm(4500), slower(500, 1.5)),
    options: { maxSlowdown: 0.6 },
    verdict: 'promote',
  },
  {
    name: 'one in ten takes ten times as long',
    counts: counts(arm(4500), tail(500, 150)),
    verdict: 'roll-back',
    reason: /^p95 of run times/,
  },
  {
    name: 'three times as slow in two requests, which may be chance',
    counts: counts(arm(18), slower(2, 3)),
    verdict: 'go-on',
  },
  { name: 'faster', counts: counts(slower(4500, 2), arm(500)), verdict: 'promote' },
  {
    name: 'lower live accuracy',
    counts: counts(arm(4500, { labelled: 200, right: 190 }), arm(500, { labelled: 60, right: 40 })),
    verdict: 'roll-back',
    reason: /live accuracy 0\.950 \(200\) -> 0\.667 \(60\)/,
  },
  {
    name: 'lower live accuracy on five answers, which may be chance',
    counts: counts(arm(4500, { labelled: 200, right: 190 }), arm(500, { labelled: 5, right: 3 })),
    verdict: 'promote',
  },
  {
    name: 'a shadow that is wrong where the other was right',
    options: { mode: 'shadow' },
    counts: counts(arm(500, { labelled: 60, right: 50 }), arm(500, { labelled: 60, right: 35 }), {
      pairs: { better: 1, worse: 16, equal: 43 },
    }),
    verdict: 'roll-back',
    reason: /live accuracy/,
  },
  {
    name: 'its time is over with enough requests',
    counts: counts(arm(300), arm(40)),
    options: { forMs: 1000 },
    activeMs: 1000,
    verdict: 'promote',
  },
  {
    name: 'its time is over with too few requests',
    counts: counts(arm(300), arm(29)),
    options: { forMs: 1000 },
    activeMs: 1000,
    verdict: 'roll-back',
    reason: /only 29 requests came to it in its time, expected at least 30/,
  },
  {
    name: 'nobody but the candidate was asked',
    counts: counts(arm(0), arm(500)),
    verdict: 'promote',
    reason: /not judged/,
  },
]
for (const { name, counts, options = {}, activeMs = 0, verdict, reason = /./ } of cases) {
  test(`${name}: ${verdict}`, () => {
    const decision = judgeCanary({ options: canarySchema.parse(options), counts, activeMs })
    assert.is(decision.verdict, verdict, decision.reasons.join('; '))
    assert.match(decision.reasons.join('; '), reason)
  })
}

test('a candidate that is as good is taken back in at most the stated share of trials', () => {
  const random = seededRandom(7)
  const options = canarySchema.parse({ requests: 160, maxSlowdown: 0 })
  const looks = lookCounts(options.requests)
  let takenBack = 0
  const trials = 400
  for (let trial = 0; trial < trials; trial += 1) {
    const seen = noCounts()
    for (let n = 0; n < 800 && seen.candidate.requests < options.requests; n += 1) {
      const arm = seen[random() < 0.3 ? 'candidate' : 'current']
      arm.requests += 1
      if (random() < 0.1) arm.errors += 1
      else arm.runMs.push(5 * Math.exp(random() + random()))
      arm.labelled += 1
      if (random() < 0.8) arm.right += 1
      if (arm !== seen.candidate || !looks.includes(arm.requests)) continue
      if (judgeCanary({ options, counts: seen, activeMs: 0 }).verdict !== 'roll-back') continue
      takenBack += 1
      break
    }
  }
  // Three standard deviations above the bound.
  const most = trials * chanceOfFalseRollback + 3 * Math.sqrt(trials * chanceOfFalseRollback)
  assert.ok(takenBack <= most, `${takenBack} of ${trials}`)
})

test('it is looked at early, ever less often, and at the last request', () => {
  assert.equal(lookCounts(500), [10, 20, 40, 80, 160, 320, 500])
  assert.equal(lookCounts(10), [10])
  assert.equal(lookCounts(3), [3])
})

test('a share of the request ids goes to the candidate, the same ones again, and others in the next trial', () => {
  const ids = Array.from({ length: 5000 }, (_, n) => `request-${n}`)
  const drawn = (salt: string) => ids.filter(id => armOf(id, 0.1, salt) === 'candidate')
  const first = drawn('a')
  assert.equal(drawn('a'), first)
  // 500 +- 4.5 standard deviations.
  assert.ok(first.length > 405 && first.length < 595, String(first.length))
  assert.ok(drawn('b').filter(id => first.includes(id)).length < 150)
  assert.equal([armOf('x', 1, 'a'), armOf('x', 1e-9, 'a')], ['candidate', 'current'])
})

const faults: [string, Parameters<typeof isFault>[0], boolean | undefined][] = [
  ['an answer', { status: 200 }, false],
  ["a handler's own 404", { status: 404 }, false],
  ["a handler's own 500", { status: 500 }, true],
  ['an exception', { error: new CorunError('handler-error', '') }, true],
  ['an answer that does not fit its schema', { error: new CorunError('invalid-output', '') }, true],
  ['a missed deadline', { error: new CorunError('deadline-exceeded', '') }, true],
  ['memory that ran out', { error: new CorunError('out-of-memory', '') }, true],
  ['something unforeseen', { error: new TypeError('x') }, true],
  ['a bad input', { error: new CorunError('invalid-input', '') }, undefined],
  ['a caller that went away', { error: new CorunError('client-aborted', '') }, undefined],
  ['a box that is full', { error: new CorunError('saturated', '') }, undefined],
  ["another function's thread", { error: new CorunError('thread-lost', '') }, undefined],
]
for (const [name, end, fault] of faults) {
  test(`${name} is ${fault === undefined ? 'not counted' : fault ? 'an error' : 'a success'}`, () => {
    assert.is(isFault(end), fault)
  })
}

test.run()
