// What the demo found, as data, as a table for people, and as a verdict.
import type { LoadResult } from '../bench/load.ts'

export interface DemoReport {
  machine: string
  seconds: number
  startMs: { ready: number; firstRequest: number }
  profile: { alone: number; besideTraining: number; largestAlone: number; largestBesideTraining: number }
  drift: string
  clean: { before: LoadResult; after: LoadResult }
  drifted: { before: LoadResult; after: LoadResult }
  /** The same open load on the same box: without training, and while it ran. */
  halfLoad: { ratePerSecond: number; alone: LoadResult; besideTraining: LoadResult }
  samples: { training: number; heldOut: number; replay: number }
  training: { seconds: number; epochs: number; losses: number[] }
  /** How the retraining run ended. */
  state: string
  versions: { before: string; after: string }
  restarts: number
  failedRequests: number
  checks: { name: string; holds: boolean; found: string }[]
}

const percent = (share: number | null) => (share === null ? '-' : `${(share * 100).toFixed(1)} %`)
const ms = (value: number) => `${value.toFixed(1)} ms`
const latency = ({ latencyMs: { p50, p95, p99 } }: LoadResult) => `${ms(p50)} / ${ms(p95)} / ${ms(p99)}`
const ratio = (a: number, b: number) => `${(a / b).toFixed(2)} x`

/** What must have happened for the demo to have been one; a check that fails makes exit code 1. */
export function checksOf(report: Omit<DemoReport, 'checks'>): DemoReport['checks'] {
  const { clean, drifted, versions, failedRequests, restarts, state } = report
  const accuracy = (result: LoadResult) => result.accuracy ?? 0
  const drop = accuracy(clean.before) - accuracy(drifted.before)
  const recovered = accuracy(drifted.after) - accuracy(drifted.before)
  const forgotten = accuracy(clean.before) - accuracy(clean.after)
  return [
    { name: 'drift lowers accuracy by 5 points or more', holds: drop >= 0.05, found: percent(drop) },
    {
      name: 'half of the loss or more is won back',
      holds: recovered >= drop / 2,
      found: percent(recovered / drop),
    },
    { name: 'clean pictures lose 2 points at most', holds: forgotten <= 0.02, found: percent(forgotten) },
    { name: 'no request failed', holds: failedRequests === 0, found: `${failedRequests} failed` },
    {
      name: 'a new version serves, without a restart',
      holds: state === 'promoted' && versions.before !== versions.after && restarts === 0,
      found: `${versions.before} -> ${versions.after}`,
    },
  ]
}

export function tableOf(report: DemoReport): string {
  const { profile, clean, drifted, halfLoad, samples, training } = report
  const { alone, besideTraining } = halfLoad
  const rows: [string, string][] = [
    [
      'server ready, first answer after that',
      `${ms(report.startMs.ready)}, ${ms(report.startMs.firstRequest)}`,
    ],
    [
      'largest concurrency within bounds, alone / beside training',
      `${profile.largestAlone} / ${profile.largestBesideTraining}`,
    ],
    ['slots chosen, alone / beside training', `${profile.alone} / ${profile.besideTraining}`],
    ['saturated: throughput', `${clean.before.throughput.toFixed(0)} requests/s`],
    ['saturated: p50 / p95 / p99', latency(clean.before)],
    ['accuracy, clean pictures', percent(clean.before.accuracy)],
    [`accuracy after drift (${report.drift}), held-out pictures`, percent(drifted.before.accuracy)],
    [
      'labelled samples: training + held out; reference pictures to replay',
      `${samples.training} + ${samples.heldOut}; ${samples.replay}`,
    ],
    [
      'retraining beside serving',
      `${training.seconds.toFixed(0)} s, ${training.epochs} epochs, loss ${training.losses.map(loss => loss.toFixed(3)).join(' ')}`,
    ],
    [`at ${halfLoad.ratePerSecond.toFixed(0)} requests/s without training: p50 / p95 / p99`, latency(alone)],
    ['the same while training ran', latency(besideTraining)],
    [
      'ratio of p50 / p99',
      `${ratio(besideTraining.latencyMs.p50, alone.latencyMs.p50)} / ${ratio(besideTraining.latencyMs.p99, alone.latencyMs.p99)}`,
    ],
    [
      'throughput without / with training',
      `${alone.throughput.toFixed(1)} / ${besideTraining.throughput.toFixed(1)} requests/s`,
    ],
    ['requests that failed, over everything', `${report.failedRequests}`],
    ['version before -> after promotion', `${report.versions.before} -> ${report.versions.after}`],
    [
      'accuracy on held-out drifted pictures, before -> after',
      `${percent(drifted.before.accuracy)} -> ${percent(drifted.after.accuracy)}`,
    ],
    [
      'accuracy on clean pictures, before -> after',
      `${percent(clean.before.accuracy)} -> ${percent(clean.after.accuracy)}`,
    ],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  const lines = rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)
  const verdicts = report.checks.map(
    ({ name, holds, found }) => `  ${holds ? 'ok  ' : 'FAIL'}  ${name} (${found})`,
  )
  return [
    `Corun demo on ${report.machine}, ${report.seconds.toFixed(0)} s`,
    '',
    ...lines,
    '',
    ...verdicts,
  ].join('\n')
}
