// The README's table of metrics, read from what the server would show: the figures of the process itself are left out.
import { createMetrics } from '../runtime/observe/metrics.ts'

export async function metricsTable(): Promise<string> {
  const rows = metricsOf(await exampleText()).map(
    ({ name, kind, labels, help }) =>
      `| \`${name}\` | ${kind} | ${labels.map(label => `\`${label}\``).join(', ')} | ${help} |`,
  )
  return ['| Metric | Kind | Labels | What |', '|---|---|---|---|', ...rows].join('\n')
}

/** With a value of everything, so that each of its labels is there. */
function exampleText(): Promise<string> {
  const model = {
    model: 'scene.net',
    role: 'serving',
    weights: 'shared',
    sessions: 1,
    estimatedBytes: 1,
  } as const
  const findings = [{ test: 'features', window: 50, statistic: 0, risk: 9 }]
  const arm = { requests: 1, errors: 0, p50Ms: 1, p95Ms: 1, accuracy: { value: 1 } }
  const metrics = createMetrics({
    slots: () => ({ slots: 1, batch: 1, running: 0, queued: 0 }),
    scheduler: () => ({ heldBack: 0, p95Ms: 1, boundMs: 1, ceiling: { slots: 1, batch: 1 } }),
    threads: () => ({ threads: 1, restarts: 1, restartsBy: { exit: 1 } }),
    training: () => ({ active: false, waitedMs: 0, bursts: 0 }),
    invocations: () => ({ waiting: 0, running: 0, kept: 0, bytes: 0 }),
    drift: () => [
      { model: 'scene.net', level: 'stable', findings, accuracy: { value: 1, interval: [1, 1] } },
    ],
    models: () => [model],
    canaries: () => [
      {
        ...{ model: 'scene.net', mode: 'shadow', current: arm, candidate: arm },
        agreement: { same: 1, different: 0, skipped: 0 },
      },
    ],
  })
  metrics.invocation({ function: 'scene', outcome: 'ok', queueMs: 1, runMs: 1 })
  metrics.batch(1)
  metrics.retraining({ function: 'scene', state: 'promoted' })
  metrics.reload({ function: 'scene', outcome: 'deployed' })
  return metrics.text()
}

interface MetricText {
  name: string
  kind: string
  labels: string[]
  help: string
}

/** From the text format of Prometheus. */
function metricsOf(text: string): MetricText[] {
  const found: MetricText[] = []
  for (const line of text.split('\n')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (corun_\w+) (.*)$/.exec(line) ?? []
    const last = found.at(-1)
    if (keyword === 'HELP') found.push({ name, kind: '', labels: [], help: rest })
    else if (keyword === 'TYPE' && last !== undefined) last.kind = rest
    else if (line.startsWith('corun_') && last !== undefined && last.labels.length === 0) {
      last.labels = Array.from(line.matchAll(/[{,](\w+)="/g), ([, label = '']) => label)
    }
  }
  return found.map(metric => ({ ...metric, labels: metric.labels.filter(label => label !== 'le') }))
}
