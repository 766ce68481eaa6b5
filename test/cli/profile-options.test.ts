import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  latencyBound,
  mixOf,
  objectiveOf,
  percentileOf,
  positive,
  timeBudget,
  wholeNumber,
} from '../../runtime/cli/profile-options.ts'
import { sharesOf } from '../../runtime/cli/profile-workload.ts'
import { durationText, progressText } from '../../runtime/cli/progress.ts'
import { interleave } from '../../runtime/profiling/interleave.ts'
import { seededRandom } from '../../runtime/training/random.ts'

const test = suite('cli/profile-options')

const good: [string, unknown, unknown][] = [
  ['1.5x is a multiple', latencyBound('1.5x'), { ratio: 1.5 }],
  ['50ms is a time', latencyBound('50ms'), { ms: 50 }],
  ['no bound is 1.5x', latencyBound(undefined), { ratio: 1.5 }],
  ['99 is a percentile', percentileOf('99'), 'p99'],
  ['no percentile is 95', percentileOf(undefined), 'p95'],
  ['training is an objective', objectiveOf('training'), 'training'],
  ['3m is three minutes', timeBudget('3m'), 180_000],
  ['90s is a minute and a half', timeBudget('90s'), 90_000],
  ['no budget is none', timeBudget(undefined), undefined],
  [
    'a mix has shares',
    [...(mixOf('scene=3, ocr=1') ?? [])],
    [
      ['scene', 3],
      ['ocr', 1],
    ],
  ],
  ['a number is taken', positive('rate', '2.5', 1), 2.5],
]
for (const [name, found, expected] of good) test(name, () => assert.equal(found, expected))

const bad: [string, () => unknown, RegExp][] = [
  ['a bound without a unit', () => latencyBound('1.5'), /--latency-bound is "1.5"; expected a multiple/],
  ['a bound of nothing', () => latencyBound('0x'), /--latency-bound/],
  ['another percentile', () => percentileOf('90'), /--percentile is "90"; expected 50, 95 or 99/],
  ['another objective', () => objectiveOf('cost'), /expected throughput, latency, training/],
  ['a time without a unit', () => timeBudget('180'), /--budget is "180"; expected a time such as 90s/],
  ['a function twice', () => mixOf('a=1,a=2'), /--mix is "a=1,a=2"; expected functions with shares/],
  ['a share of nothing', () => mixOf('a=0'), /--mix/],
  ['a part of a thread', () => wholeNumber('max-threads', '1.5', 1), /whole number above 0/],
]
for (const [name, read, message] of bad) {
  test(`${name} is refused`, () => assert.throws(read, (error: Error) => message.test(error.message)))
}

const shares = (...args: Parameters<typeof sharesOf>) => {
  const { shares, source } = sharesOf(...args)
  return { [source]: Object.fromEntries(shares) }
}
const noTraffic = new Map<string, number>()

test('shares are those asked for, else those observed, else equal', () => {
  assert.equal(
    shares(
      ['a', 'b'],
      new Map([
        ['a', 3],
        ['b', 1],
      ]),
      noTraffic,
    ),
    { asked: { a: 0.75, b: 0.25 } },
  )
  assert.equal(shares(['a', 'b'], new Map([['a', 2]]), noTraffic), { asked: { a: 1 } })
  assert.equal(
    shares(
      ['a', 'b'],
      undefined,
      new Map([
        ['a', 9],
        ['b', 1],
        ['gone', 90],
      ]),
    ),
    { observed: { a: 0.9, b: 0.1 } },
  )
  assert.equal(shares(['a', 'b'], undefined, noTraffic), { equal: { a: 0.5, b: 0.5 } })
})

test('observed shares leave nobody out, and are those of a moment ago', () => {
  const often = (count: number) => new Map([['a', count]])
  const found = shares(['a', 'b'], undefined, often(1e6))
  assert.equal(found, { observed: { a: 100 / 101, b: 1 / 101 } })
  assert.equal(shares(['a', 'b'], undefined, often(1e6 + 17)), found)
})

test('a mix that names a function which cannot be measured is refused', () => {
  assert.throws(() => sharesOf(['a'], new Map([['b', 1]]), noTraffic), /--mix names "b"; expected .*: a/)
})

test('a mix is smooth: after any number of turns each has its share to within one', () => {
  const items = [
    { name: 'a', share: 5 },
    { name: 'b', share: 3 },
    { name: 'c', share: 1 },
  ]
  const counts: Record<string, number> = { a: 0, b: 0, c: 0 }
  const turns = interleave(items, seededRandom(1))
  for (let turn = 1; turn <= 900; turn += 1) {
    const { name } = turns.next().value
    counts[name] = (counts[name] ?? 0) + 1
    for (const { name, share } of items) {
      assert.ok(Math.abs((counts[name] ?? 0) - (turn * share) / 9) < 2, `${name} after ${turn}`)
    }
  }
  assert.equal(counts, { a: 500, b: 300, c: 100 })
})

test('progress tells what is done and how long the rest takes at the most', () => {
  assert.is(
    progressText({ done: 6, most: 24, elapsedMs: 30_000 }),
    '[######------------------] 6 of at most 24, at most 1 min 30 s left',
  )
  assert.is(progressText({ done: 0, most: 24, elapsedMs: 10 }), `[${'-'.repeat(24)}] 0 of at most 24`)
  assert.is(durationText(59_000), '59 s')
})

test.run()
