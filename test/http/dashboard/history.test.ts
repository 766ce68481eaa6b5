import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { pointBetween, snapshotOf, withPoint } from '../../../runtime/http/dashboard/history.ts'
import { parseMetrics } from '../../../runtime/http/dashboard/metrics-text.ts'
import { bucketsBetween, quantileOf } from '../../../runtime/http/dashboard/quantile.ts'
import { ago, duration, milliseconds, share } from '../../../runtime/http/dashboard/text.ts'
import { createMetrics } from '../../../runtime/observe/metrics.ts'

const test = suite('http/dashboard/history')

const infinity = Number.POSITIVE_INFINITY

test('the text format of metrics is read back, escapes and infinities included', () => {
  const text = [
    '# HELP a_total Something',
    'a_total{function="x",outcome="ok"} 3',
    'b 1.5',
    'c_bucket{le="+Inf",name="a \\"b\\" \\\\ c"} 7',
    '',
    'not a metric',
  ].join('\n')
  assert.equal(parseMetrics(text), [
    { name: 'a_total', labels: { function: 'x', outcome: 'ok' }, value: 3 },
    { name: 'b', labels: {}, value: 1.5 },
    { name: 'c_bucket', labels: { le: '+Inf', name: 'a "b" \\ c' }, value: 7 },
  ])
})

const quantiles: [string, [number, number][], number, number | undefined][] = [
  ['nothing counted', [[1, 0]], 0.5, undefined],
  ['linear from zero', [[1, 10]], 0.5, 0.5],
  [
    'linear within a bucket',
    [
      [1, 0],
      [2, 10],
    ],
    0.25,
    1.25,
  ],
  [
    'at the edge of a bucket',
    [
      [1, 5],
      [2, 10],
    ],
    0.5,
    1,
  ],
  [
    'beyond the last bound',
    [
      [1, 1],
      [infinity, 10],
    ],
    0.95,
    1,
  ],
]
for (const [what, pairs, wanted, expected] of quantiles) {
  test(`a quantile of a histogram: ${what}`, () => {
    const buckets = pairs.map(([bound, count]) => ({ bound, count }))
    assert.is(quantileOf(buckets, wanted), expected)
  })
}

test('between two looks only what came between them is counted', () => {
  const before = [
    { bound: 1, count: 4 },
    { bound: infinity, count: 5 },
  ]
  const now = [
    { bound: 1, count: 4 },
    { bound: 2, count: 3 },
    { bound: infinity, count: 9 },
  ]
  assert.equal(bucketsBetween(before, now), [
    { bound: 1, count: 0 },
    { bound: 2, count: 3 },
    { bound: infinity, count: 4 },
  ])
})

test("the server's own metrics become rates and latencies", async () => {
  const metrics = createMetrics({
    slots: () => ({ slots: 3, batch: 1, running: 2, queued: 4 }),
    scheduler: () => ({
      ...{ heldBack: 0, p95Ms: null, boundMs: null },
      ceiling: { slots: null, batch: null },
    }),
    threads: () => ({ threads: 3, restarts: 0, restartsBy: {} }),
    training: () => ({ active: true, waitedMs: 0, bursts: 0 }),
    invocations: () => ({ waiting: 0, running: 0, kept: 0, bytes: 0 }),
    drift: () => [],
    models: () => [],
    canaries: () => [],
  })
  const look = async (at: number) => snapshotOf(parseMetrics(await metrics.text()), at)
  const before = await look(10_000)
  for (const outcome of ['ok', 'ok', 'ok', 'saturated']) {
    metrics.invocation({ function: 'scene', outcome, queueMs: 0, runMs: outcome === 'ok' ? 4 : 0 })
  }
  const point = pointBetween(before, await look(12_000))
  assert.is(point.okPerSecond, 1.5)
  assert.is(point.failedPerSecond, 0.5)
  assert.ok(
    (point.runP50 ?? 0) > 2.5 && (point.runP50 ?? 0) <= 5,
    `${point.runP50} ms lies in the bucket of 4`,
  )
  assert.equal([point.slots, point.busy, point.queued, point.training], [3, 2, 4, true])
})

test('a restart of the server leaves a gap, not a negative rate', () => {
  const at = (ok: number, time: number) => ({ ...snapshotOf([], time), ok })
  const point = pointBetween(at(100, 0), at(3, 2000))
  assert.equal([point.okPerSecond, point.runP50], [null, null])
})

test('only the newest points are kept', () => {
  const point = (at: number) => ({ ...pointBetween(snapshotOf([], 0), snapshotOf([], 1000)), at })
  const points = [1, 2, 3].reduce<ReturnType<typeof point>[]>((all, at) => withPoint(all, point(at), 2), [])
  assert.equal(
    points.map(({ at }) => at),
    [2, 3],
  )
})

test('times and numbers read as a person says them', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  assert.is(ago('2026-01-01T00:00:00Z', now), 'just now')
  assert.is(ago('2025-12-31T23:59:00Z', now), '60 s ago')
  assert.is(ago('2026-01-01T03:00:00Z', now), 'in 3 h')
  assert.is(ago('2025-12-29T00:00:00Z', now), '3 days ago')
  assert.equal(
    [duration(4.25), duration(125), duration(3720), duration(null)],
    ['4.3 s', '2 min 5 s', '1 h 2 min', '–'],
  )
  assert.equal([milliseconds(3.21), milliseconds(64.6), milliseconds(null)], ['3.2 ms', '65 ms', '–'])
  assert.equal([share(0.9), share(null)], ['0.900', '–'])
})

test.run()
