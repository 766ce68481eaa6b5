import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MeasuredPoint } from '../../runtime/profiling/profile.ts'
import {
  chooseOperatingPoint,
  largestWithinBounds,
  nextPoint,
  type SearchBounds,
} from '../../runtime/profiling/search.ts'

const test = suite('profiling/search')

const bounds: SearchBounds = { latencyRatio: 1.5, memoryBudgetBytes: 1000, maxThreads: 8, maxBatch: 1 }

function point(
  threads: number,
  training: boolean,
  facts: Partial<{ rate: number; p95: number; memory: number; failed: number; batch: number }> = {},
): MeasuredPoint {
  const { rate = 100, p95 = 10, memory = 100, failed = 0, batch = 1 } = facts
  return {
    threads,
    intraOpThreads: 1,
    batch,
    training,
    fits: true,
    stable: true,
    requests: 100,
    failed,
    throughput: rate,
    latencyMs: { p50: p95, p95, p99: p95 },
    peakMemoryBytes: memory,
    trainingStepsPerSecond: null,
    epochSeconds: null,
  }
}

/** A box of two cores: throughput doubles once, then only latency grows. */
const twoCores = (threads: number, training: boolean): MeasuredPoint =>
  point(threads, training, {
    rate: Math.min(threads, 2) * 100,
    p95: 10 * Math.max(1, threads / 2),
    memory: 50 * threads,
  })

function search(
  measure: (threads: number, training: boolean, batch: number) => MeasuredPoint,
  trainable = true,
  limits = bounds,
) {
  const points: MeasuredPoint[] = []
  for (;;) {
    const next = nextPoint(points, limits, trainable)
    if (next === undefined) return points
    points.push(measure(next.threads, next.training, next.batch))
    assert.ok(points.length <= 6 * limits.maxThreads, 'the search ends')
  }
}

test('concurrency climbs from one, alone first and then beside training', () => {
  const visited = search(twoCores).map(({ threads, training }) => `${threads}${training ? 't' : ''}`)
  assert.equal(visited, ['1', '2', '3', '4', '1t', '2t', '3t', '4t'])
})

test('without a retraining nothing is measured beside one', () => {
  assert.not(search(twoCores, false).some(({ training }) => training))
})

test('a climb stops at the point that breaks the latency bound', () => {
  const points = search(
    threads => point(threads, false, { rate: threads * 100, p95: threads <= 3 ? 10 : 20 }),
    false,
  )
  assert.is(points.length, 4)
  assert.is(chooseOperatingPoint(points, bounds, false).threads, 3)
  assert.match(chooseOperatingPoint(points, bounds, false).reason, /p95 20.0 ms is over 15.0 ms/)
})

test('a point just over the latency bound is measured again, and its best measurement counts', () => {
  let disturbed = 2
  const points = search(threads => {
    const noise = threads === 2 && disturbed-- > 0 ? 1.2 : 1
    return point(threads, false, {
      rate: threads * 100,
      p95: (threads <= 3 ? 14 : 40) * noise - (threads === 1 ? 4 : 0),
    })
  }, false)
  assert.equal(
    points.map(({ threads }) => threads),
    [1, 2, 2, 2, 3, 4],
  )
  assert.is(chooseOperatingPoint(points, bounds, false).threads, 3)
})

test('a point that stays over the bound is given up after three measurements', () => {
  const points = search(
    threads => point(threads, false, { rate: threads * 100, p95: threads === 1 ? 10 : 16 }),
    false,
  )
  assert.equal(
    points.map(({ threads }) => threads),
    [1, 2, 2, 2],
  )
  assert.is(chooseOperatingPoint(points, bounds, false).threads, 1)
})

test('a climb stops at the memory budget, where memory grows as predicted and where it leaps', () => {
  const steady = (threads: number) => point(threads, false, { rate: threads * 100, memory: threads * 400 })
  assert.is(search(steady, false).length, 2, 'the third is not tried')
  const points = search(
    threads => point(threads, false, { rate: threads * 100, memory: threads < 3 ? threads * 300 : 2000 }),
    false,
  )
  assert.is(points.length, 3)
  assert.is(largestWithinBounds(points, bounds, false), 2)
  assert.match(chooseOperatingPoint(points, bounds, false).reason, /budget/)
})

test('a point with failed requests is no point to run at', () => {
  const points = search(
    threads => point(threads, false, { rate: threads * 100, failed: threads === 2 ? 1 : 0 }),
    false,
  )
  assert.is(chooseOperatingPoint(points, bounds, false).threads, 1)
})

test('a climb goes on to the most that may be tried while it pays', () => {
  const points = search(threads => point(threads, false, { rate: threads * 100 }), false)
  assert.is(points.length, bounds.maxThreads)
  assert.is(chooseOperatingPoint(points, bounds, false).threads, bounds.maxThreads)
})

test('of points with the same throughput the one with the fewest threads is chosen', () => {
  const points = search(twoCores)
  assert.is(chooseOperatingPoint(points, bounds, false).threads, 2)
  assert.is(largestWithinBounds(points, bounds, false), 3)
})

test('beside training the bound is still that of one inference alone', () => {
  const points = search((threads, training) =>
    point(threads, training, { rate: threads * 100, p95: training ? 7 + threads * 4 : 10 }),
  )
  assert.is(chooseOperatingPoint(points, bounds, true).threads, 2)
})

test('when even one inference breaks a bound, one it is, and the reason says so', () => {
  const points = search((threads, training) => point(threads, training, { p95: training ? 40 : 10 }))
  const choice = chooseOperatingPoint(points, bounds, true)
  assert.is(choice.threads, 1)
  assert.match(choice.reason, /although p95 40.0 ms/)
})

test('a level that would not fit is not tried, and the reason tells what it would take', () => {
  const growing = (threads: number, training: boolean) =>
    point(threads, training, { rate: 100 * threads, memory: 2 ** 20 * (100 + 300 * threads) })
  const limits = { ...bounds, memoryBudgetBytes: 2 ** 20 * 1200 }
  const points = search(growing, false, limits)
  assert.equal(
    points.map(({ threads }) => threads),
    [1, 2, 3],
  )
  const chosen = chooseOperatingPoint(points, limits, false)
  assert.is(chosen.threads, 3)
  assert.match(chosen.reason, '4 would take 1300 MiB, over the budget of 1200 MiB')
})

/** A device that runs one inference at a time, and rows of one at hardly more cost: up to 4, then in proportion. */
const accelerator = (threads: number, training: boolean, batch: number): MeasuredPoint => {
  const ms = 10 * threads * (batch <= 4 ? 1 + 0.1 * (batch - 1) : batch / 3)
  return point(threads, training, { rate: (1000 * threads * batch) / ms, p95: ms, batch })
}

test('where threads bring nothing batches grow while they bring throughput within the bound', () => {
  const limits = { ...bounds, maxBatch: 16 }
  const points = search(accelerator, false, limits)
  assert.equal(
    points.map(({ threads, batch }) => [threads, batch]),
    [
      [1, 1],
      [2, 1],
      [1, 2],
      [1, 4],
      [1, 8],
    ],
  )
  const chosen = chooseOperatingPoint(points, limits, false)
  assert.equal([chosen.threads, chosen.batch], [1, 4])
  assert.match(chosen.reason, 'batches up to 4: with 8, p95')
})

test('a batch that brings no throughput is not chosen, and the reason says so', () => {
  const limits = { ...bounds, maxBatch: 16, latencyRatio: 3 }
  const points = search(
    (threads, training, batch) =>
      point(threads, training, { rate: threads >= 2 ? 200 : 100, p95: 10 * batch, batch }),
    true,
    limits,
  )
  for (const training of [false, true]) {
    const chosen = chooseOperatingPoint(points, limits, training)
    assert.equal([chosen.threads, chosen.batch], [2, 1])
    assert.match(chosen.reason, 'no batches: with 2, it brings less than 3 % more')
  }
})

test.run()
