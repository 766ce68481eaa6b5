/** Prometheus metrics. The registry lives on the main thread: prom-client knows nothing of worker threads. */
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import { addCanaryMetrics, type CanaryFacts } from './canary-metrics.ts'
import { addDriftMetrics, type DriftFacts } from './drift-metrics.ts'
import { addGauge } from './gauge.ts'
import { addModelMetrics, type ModelFacts } from './model-metrics.ts'

/** Facts that are read when metrics are scraped. */
export interface MetricSources {
  slots(): { slots: number; batch: number; running: number; queued: number }
  scheduler(): {
    heldBack: number
    p95Ms: number | null
    boundMs: number | null
    ceiling: { slots: number | null; batch: number | null }
  }
  threads(): { threads: number; restarts: number; restartsBy: Partial<Record<string, number>> }
  training(): { active: boolean; waitedMs: number; bursts: number }
  /** Asynchronous ones; `kept`: all that are on disk. */
  invocations(): { waiting: number; running: number; kept: number; bytes: number }
  drift(): readonly DriftFacts[]
  models(): readonly ModelFacts[]
  /** Of candidates on trial. */
  canaries(): readonly CanaryFacts[]
}

export interface Metrics {
  invocation(end: { function: string; outcome: string; queueMs: number; runMs: number }): void
  /** Requests that shared a slot. */
  batch(size: number): void
  retraining(end: { function: string; state: string }): void
  /** A function's source was deployed, did not become a deployment, or is gone. */
  reload(end: { function: string; outcome: 'deployed' | 'failed' | 'removed' }): void
  /** Prometheus text format. */
  text(): Promise<string>
  readonly contentType: string
}

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const invocations = new Counter({
    name: 'corun_invocations_total',
    help: 'Requests to function URLs by function and outcome (ok, or an error code)',
    labelNames: ['function', 'outcome'] as const,
    registers,
  })
  const queueSeconds = new Histogram({
    name: 'corun_queue_seconds',
    help: 'Time that a request waited for a slot',
    labelNames: ['function'] as const,
    buckets: secondsBuckets,
    registers,
  })
  const runSeconds = new Histogram({
    name: 'corun_run_seconds',
    help: 'Time that a request ran in its thread, decoding included',
    labelNames: ['function'] as const,
    buckets: secondsBuckets,
    registers,
  })
  const batches = new Histogram({
    name: 'corun_batch_size',
    help: 'Requests that went to a thread together',
    buckets: [1, 2, 3, 4, 6, 8, 12, 16, 24, 32],
    registers,
  })
  const retrainings = new Counter({
    name: 'corun_retraining_runs_total',
    help: 'Retraining runs that ended, by function and final state',
    labelNames: ['function', 'state'] as const,
    registers,
  })
  const reloads = new Counter({
    name: 'corun_reloads_total',
    help: 'Deployments by function and outcome: deployed, failed (the last good one serves on) or removed',
    labelNames: ['function', 'outcome'] as const,
    registers,
  })
  const gauge = (name: string, help: string, read: () => number) =>
    addGauge(registers, { name, help }, () => [[{}, read()]])
  gauge('corun_slots', 'Requests that may run at once', () => sources.slots().slots)
  gauge('corun_slots_busy', 'Requests that run', () => sources.slots().running)
  addGauge(
    registers,
    {
      name: 'corun_slots_by_state',
      help: 'Slots that are busy, idle, or held back since p95 was over its bound',
      labels: ['state'],
    },
    () => {
      const { slots, running } = sources.slots()
      const { heldBack } = sources.scheduler()
      return [
        [{ state: 'busy' }, running],
        [{ state: 'idle' }, Math.max(0, slots - running)],
        [{ state: 'held-back' }, heldBack],
      ]
    },
  )
  gauge('corun_queue_length', 'Requests that wait', () => sources.slots().queued)
  gauge('corun_batch_limit', 'Requests that may go to a thread together', () => sources.slots().batch)
  gauge(
    'corun_slots_held_back',
    'Slots held back since p95 was over its bound',
    () => sources.scheduler().heldBack,
  )
  const orNaN = (ms: number | null) => (ms === null ? Number.NaN : ms / 1000)
  gauge('corun_run_p95_seconds', 'p95 of run times over the last seconds', () =>
    orNaN(sources.scheduler().p95Ms),
  )
  gauge('corun_run_p95_bound_seconds', 'What p95 may be, by the profile', () =>
    orNaN(sources.scheduler().boundMs),
  )
  const ceiling = (level: 'slots' | 'batch') => () => sources.scheduler().ceiling[level] ?? Number.NaN
  gauge(
    'corun_slots_ceiling',
    'Slots that memory has been seen to hold; NaN: it never ran out',
    ceiling('slots'),
  )
  gauge(
    'corun_batch_ceiling',
    'Batch that memory has been seen to hold; NaN: it never ran out',
    ceiling('batch'),
  )
  gauge('corun_pool_threads', 'Threads of the pool', () => sources.threads().threads)
  gauge('corun_pool_thread_restarts', 'Threads replaced since the start', () => sources.threads().restarts)
  addGauge(
    registers,
    {
      name: 'corun_pool_thread_restarts_by_reason',
      help: 'Threads replaced since the start, by reason',
      labels: ['reason'],
    },
    () => Object.entries(sources.threads().restartsBy).map(([reason, count = 0]) => [{ reason }, count]),
  )
  addGauge(
    registers,
    {
      name: 'corun_async_invocations',
      help: 'Asynchronous invocations on disk that wait, run, or have ended and are kept for their callers',
      labels: ['state'],
    },
    () => {
      const { waiting, running, kept } = sources.invocations()
      return [
        [{ state: 'waiting' }, waiting],
        [{ state: 'running' }, running],
        [{ state: 'ended' }, Math.max(0, kept - waiting - running)],
      ]
    },
  )
  gauge('corun_async_bytes', 'What they take on disk', () => sources.invocations().bytes)
  gauge('corun_training_active', '1 while a retraining runs', () => (sources.training().active ? 1 : 0))
  gauge(
    'corun_training_waited_seconds',
    'Time that retrainings have lost to requests since the start',
    () => sources.training().waitedMs / 1000,
  )
  gauge(
    'corun_training_bursts',
    'Times that a retraining got its floor although requests wanted the device, since the start',
    () => sources.training().bursts,
  )

  addDriftMetrics(registers, sources.drift)
  addModelMetrics(registers, sources.models)
  addCanaryMetrics(registers, sources.canaries)

  return {
    batch: size => batches.observe(size),
    invocation(end) {
      invocations.inc({ function: end.function, outcome: end.outcome })
      queueSeconds.observe({ function: end.function }, end.queueMs / 1000)
      if (end.runMs > 0) runSeconds.observe({ function: end.function }, end.runMs / 1000)
    },
    retraining: end => retrainings.inc(end),
    reload: end => reloads.inc(end),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
