/** A profile as a table for the terminal and the report, and the chosen points in words. Pure. */
import { epochStretch, mebibytes } from './bounds.ts'
import { largestWithinBounds } from './objective.ts'
import type {
  MeasuredPoint,
  MixSource,
  Percentiles,
  Profile,
  ProfiledModel,
  ProfiledOperatingPoint,
} from './profile.ts'

const cell = (point: MeasuredPoint, show: (point: MeasuredPoint) => string) =>
  point.fits ? show(point) : '-'
const ms =
  (name: 'latencyMs' | 'queueMs' | 'runMs', percentile: keyof Percentiles) => (point: MeasuredPoint) =>
    cell(point, ({ [name]: latency }) => latency[percentile].toFixed(1))

const columns: [string, (point: MeasuredPoint, profile: Profile) => string][] = [
  ['at once', point => String(point.threads)],
  ['intra', point => String(point.intraOpThreads)],
  ['batch', point => String(point.batch)],
  ['beside', point => (point.training ? `${point.microBatch} on ${point.trainerThreads}` : '-')],
  ['load', point => (point.rate === null ? 'closed' : `${point.rate}/s`)],
  ['per s', point => cell(point, ({ throughput }) => throughput.toFixed(1))],
  ['p50 ms', ms('latencyMs', 'p50')],
  ['p95 ms', ms('latencyMs', 'p95')],
  ['p99 ms', ms('latencyMs', 'p99')],
  ['queue p95', ms('queueMs', 'p95')],
  ['run p95', ms('runMs', 'p95')],
  ['cpu ms', point => cell(point, p => (p.cpuSecondsPerInference * 1000).toFixed(1))],
  ['MiB', point => cell(point, p => (p.peakMemoryBytes / 2 ** 20).toFixed(0))],
  [
    'device MiB',
    point =>
      cell(point, p => (p.deviceMemoryBytes === null ? '-' : (p.deviceMemoryBytes / 2 ** 20).toFixed(0))),
  ],
  ['steps/s', point => point.trainingStepsPerSecond?.toFixed(2) ?? '-'],
  ['epoch s', point => point.epochSeconds?.toFixed(1) ?? '-'],
  [
    'stretch',
    (point, { trainingAlone }) => {
      const stretch = epochStretch(point, trainingAlone)
      return stretch === null ? '-' : Number.isFinite(stretch) ? stretch.toFixed(2) : 'no step'
    },
  ],
  ['stable', point => (point.fits ? (point.stable ? 'yes' : 'no') : 'no memory')],
]

/** Header and rows as texts. A column that says nothing of any point is left out. */
export function profileRows(profile: Profile): { header: string[]; rows: string[][] } {
  const cells = profile.points.map(point => columns.map(([, show]) => show(point, profile)))
  const told = columns.map((_, column) => cells.some(row => row[column] !== '-'))
  const kept = (row: readonly string[]) => row.filter((_, column) => told[column])
  return { header: kept(columns.map(([name]) => name)), rows: cells.map(kept) }
}

export function profileTable(profile: Profile): string {
  const { header, rows } = profileRows(profile)
  const all = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...all.map(row => row[column]?.length ?? 0)))
  const lines = all.map(row => row.map((text, column) => text.padStart(widths[column] ?? 0)).join('  '))
  return [`${profile.key.device}: ${loadText(profile)}`, '', ...lines, '', ...profileFindings(profile)].join(
    '\n',
  )
}

/** What was found, in sentences: the chosen points and why, training alone, and what was left out. */
export function profileFindings(profile: Profile): string[] {
  const { trainingAlone, search } = profile
  const findings = [
    `alone: ${chosenText(profile.alone)}; largest within the bounds: ${largestWithinBounds(profile, profile.bounds, false)}`,
    `beside training: ${chosenText(profile.besideTraining)}; largest within the bounds: ${largestWithinBounds(profile, profile.bounds, true)}`,
  ]
  if (trainingAlone !== null) {
    const { stepsPerSecond, epochSeconds, peakMemoryBytes } = trainingAlone
    findings.push(
      `training alone (${trainingAlone.function}): ${stepsPerSecond.toFixed(2)} steps/s, ${epochSeconds?.toFixed(1) ?? '-'} s an epoch, ${mebibytes(peakMemoryBytes)}`,
    )
  }
  for (const [id, model] of Object.entries(profile.models ?? {})) {
    findings.push(`${id}: ${modelText(model, profile)}`)
  }
  findings.push(
    `${search.mode} search: ${search.measurements} measurements of a grid of ${search.grid} points in ${search.seconds.toFixed(0)} s`,
    ...search.leftOut.map(text => `left out: ${text}`),
  )
  return findings
}

function chosenText({ threads, intraOpThreads, batch, trainer, reason }: ProfiledOperatingPoint): string {
  const intra = intraOpThreads > 1 ? `, ${intraOpThreads} intra-op threads` : ''
  const beside =
    trainer === null
      ? ''
      : `, trainer on ${trainer.threads} threads with ${trainer.microBatch} pictures at once`
  return `${threads} at once${intra}, batches of up to ${batch}${beside} (${reason})`
}

const mixTexts: Record<MixSource, string> = {
  asked: 'as asked for',
  observed: 'as requests to the server were',
  equal: 'in equal shares, since no requests have been observed',
}

/** The load: functions with their shares, and where the shares are from. */
export function loadText({ workload, mix }: Pick<Profile, 'workload' | 'mix'>): string {
  const shares = Object.entries(workload).map(([name, share]) => `${name} ${Math.round(share * 100)} %`)
  return [...shares, ...(mix === undefined || shares.length < 2 ? [] : [mixTexts[mix]])].join(', ')
}

function modelText({ weights, why, weightBytes }: ProfiledModel, profile: Profile): string {
  const { alone, besideTraining } = profile
  if (weights === 'shared') return `${mebibytes(weightBytes)} of weights, one copy for all threads (${why})`
  const at = (point: ProfiledOperatingPoint) => mebibytes(weightBytes * point.threads)
  return `${mebibytes(weightBytes)} of weights in each thread, ${at(alone)} alone and ${at(besideTraining)} beside training (${why})`
}

/** What was asked for, in a sentence. */
export function boundsText({ bounds, objective }: Profile): string {
  const { latency, percentile, memoryBudgetBytes, deviceBudgetBytes, maxEpochStretch, rate } = bounds
  const limit = 'ratio' in latency ? `${latency.ratio} x one inference alone` : `${latency.ms} ms`
  const device = deviceBudgetBytes === null ? '' : ` and ${mebibytes(deviceBudgetBytes)} of the device`
  return `Objective: ${objective}. Bounds: ${percentile} up to ${limit}, ${mebibytes(memoryBudgetBytes)} of memory${device}, an epoch up to ${maxEpochStretch} x as long as alone, beside ${rate == null ? 'a quarter of what is served alone' : `${rate} requests a second`}.`
}
