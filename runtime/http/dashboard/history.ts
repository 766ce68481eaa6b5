/** The last minutes, from one look at /metrics to the next: what the charts draw. Pure. */
import type { MetricSample } from './metrics-text.ts'
import { type Bucket, bucketsBetween, quantileOf } from './quantile.ts'

/** Totals since the server's start, and what is now. */
export interface Snapshot {
  /** Milliseconds since 1970. */
  at: number
  ok: number
  failed: number
  run: Bucket[]
  queue: Bucket[]
  slots: number
  busy: number
  queued: number
  training: boolean
}

/** What happened in a stretch between two looks. Null: nothing to tell. */
export interface Point {
  /** Seconds since 1970, at its end. */
  at: number
  okPerSecond: number | null
  failedPerSecond: number | null
  /** Milliseconds. */
  runP50: number | null
  runP95: number | null
  queueP95: number | null
  slots: number
  busy: number
  queued: number
  training: boolean
}

export function snapshotOf(samples: readonly MetricSample[], at: number): Snapshot {
  const gauge = (name: string) => samples.find(sample => sample.name === name)?.value ?? 0
  const requests = samples.filter(({ name }) => name === 'corun_invocations_total')
  const sum = (wanted: readonly MetricSample[]) => wanted.reduce((total, { value }) => total + value, 0)
  return {
    at,
    ok: sum(requests.filter(({ labels }) => labels.outcome === 'ok')),
    failed: sum(requests.filter(({ labels }) => labels.outcome !== 'ok')),
    run: histogramOf(samples, 'corun_run_seconds'),
    queue: histogramOf(samples, 'corun_queue_seconds'),
    slots: gauge('corun_slots'),
    busy: gauge('corun_slots_busy'),
    queued: gauge('corun_queue_length'),
    training: gauge('corun_training_active') > 0,
  }
}

/** All functions' together. */
function histogramOf(samples: readonly MetricSample[], name: string): Bucket[] {
  const counts = new Map<number, number>()
  for (const { labels, value } of samples.filter(sample => sample.name === `${name}_bucket`)) {
    const bound = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le)
    counts.set(bound, (counts.get(bound) ?? 0) + value)
  }
  return Array.from(counts, ([bound, count]) => ({ bound, count })).sort((a, b) => a.bound - b.bound)
}

/** After a restart of the server its totals begin anew: rates are then not known. */
export function pointBetween(before: Snapshot, now: Snapshot): Point {
  const seconds = (now.at - before.at) / 1000
  const restarted = now.ok < before.ok || now.failed < before.failed || seconds <= 0
  const rate = (from: number, to: number) => (restarted ? null : (to - from) / seconds)
  const ms = (from: Bucket[], to: Bucket[], share: number) => {
    const quantile = restarted ? undefined : quantileOf(bucketsBetween(from, to), share)
    return quantile === undefined ? null : quantile * 1000
  }
  const { slots, busy, queued, training } = now
  return {
    at: now.at / 1000,
    okPerSecond: rate(before.ok, now.ok),
    failedPerSecond: rate(before.failed, now.failed),
    runP50: ms(before.run, now.run, 0.5),
    runP95: ms(before.run, now.run, 0.95),
    queueP95: ms(before.queue, now.queue, 0.95),
    slots,
    busy,
    queued,
    training,
  }
}

/** With the newest at its end, and no more than `most`. */
export function withPoint(points: readonly Point[], point: Point, most: number): Point[] {
  return [...points, point].slice(-most)
}
