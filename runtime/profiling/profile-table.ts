/** A profile as a table for the terminal, and as the report beside its file. */
import type { MeasuredPoint, Profile } from './profile.ts'
import { largestWithinBounds } from './search.ts'

const columns: [string, (point: MeasuredPoint) => string][] = [
  ['concurrent', point => String(point.threads)],
  ['batch', point => String(point.batch)],
  ['training', point => (point.training ? 'beside' : '-')],
  ['requests/s', point => point.throughput.toFixed(1)],
  ['p50 ms', point => point.latencyMs.p50.toFixed(1)],
  ['p95 ms', point => point.latencyMs.p95.toFixed(1)],
  ['p99 ms', point => point.latencyMs.p99.toFixed(1)],
  ['stable', point => (point.fits ? (point.stable ? 'yes' : 'no') : 'no memory')],
  ['peak MiB', point => (point.peakMemoryBytes / 2 ** 20).toFixed(0)],
  ['steps/s', point => point.trainingStepsPerSecond?.toFixed(2) ?? '-'],
  ['epoch s', point => point.epochSeconds?.toFixed(1) ?? '-'],
]

export function profileTable(profile: Profile): string {
  const rows = [
    columns.map(([name]) => name),
    ...profile.points.map(point => columns.map(([, cell]) => cell(point))),
  ]
  const widths = columns.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  const lines = rows.map(row => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  '))
  const chosen = (['alone', 'besideTraining'] as const).map(name => {
    const { threads, batch, reason } = profile[name]
    const largest = largestWithinBounds(profile.points, profile.bounds, name === 'besideTraining')
    const label = name === 'alone' ? 'alone' : 'beside training'
    return `${label}: ${threads} at once, batches of up to ${batch} (${reason}); largest within the bounds: ${largest}`
  })
  const { trainingAlone } = profile
  if (trainingAlone !== null) {
    chosen.push(
      `training alone: ${trainingAlone.stepsPerSecond.toFixed(2)} steps/s, ${trainingAlone.epochSeconds?.toFixed(1) ?? '-'} s an epoch`,
    )
  }
  return [profile.key.device, '', ...lines, '', ...chosen].join('\n')
}

/** Markdown: what was measured when and within which bounds, and the table. */
export function profileReport(profile: Profile): string {
  const { key, createdAt, workload, bounds } = profile
  const shares = Object.entries(workload).map(([name, share]) => `${name} ${Math.round(share * 100)} %`)
  return [
    `# ${key.device}: ${Object.keys(workload).join(', ')}`,
    '',
    `Measured ${createdAt} with onnxruntime ${key.onnxruntime} on ${key.provider}. Load: ${shares.join(', ')}.`,
    `Bounds: p95 up to ${bounds.latencyRatio} x one inference alone, ${Math.round(bounds.memoryBudgetBytes / 2 ** 20)} MiB.`,
    '',
    '```',
    profileTable(profile),
    '```',
    '',
  ].join('\n')
}
