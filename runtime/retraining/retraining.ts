/**
 * Retraining on this box: one run at a time, started by the operator or the clock, recorded from start to end.
 * What happens inside a run is in run.ts.
 */
import { randomBytes } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, systemClock } from '../core/clock.ts'
import type { DeployedRetraining } from '../core/deployment.ts'
import { CorunError } from '../core/errors.ts'
import { oomKills } from '../device/oom-kills.ts'
import type { ModelStore } from '../models/model-store.ts'
import type { SampleStore } from '../samples/sample-store.ts'
import { makeFolder } from '../state/durable-file.ts'
import { openMicroBatchLimits } from './micro-batch-limits.ts'
import { prepareJob, type TrainableFunction, trainedModel } from './prepare-job.ts'
import { type RetrainingView, retrainingView } from './retraining-view.ts'
import { type Run, type RunContext, startRun } from './run.ts'
import { openRunHistory } from './run-history.ts'
import { newRun, type RunRecord } from './run-record.ts'

export interface RetrainingOptions
  extends Omit<RunContext, 'save' | 'stopGraceMs' | 'clock' | 'oomKills' | 'onSmallerParts'> {
  samples: Pick<SampleStore, 'list' | 'hold'>
  dataDir: string
  /** Execution provider of the trainer. */
  provider: string
  /** Its intra-op threads. */
  threads: number
  /** What it may take of memory when a run starts; no bound when left out. */
  memoryBytes?: () => number
  clock?: Clock
  /** Default: what the kernel tells. */
  oomKills?: () => number | undefined
  /** Default: the time and four random bytes. */
  createId?: () => string
  /** When the schedule starts the next run, in ISO 8601. */
  nextRun?: (name: string) => string | null
  /** Told of every run that ended. */
  onEnd?: (end: { function: string; state: RunRecord['state'] }) => void
  /** How long a trainer may take to stop before it is killed. Default 10,000. */
  stopGraceMs?: number
}

export interface Retraining {
  /** Answers when the run is recorded; it goes on by itself. Throws `retraining-conflict` while another runs. */
  start(name: string, options?: { by?: RunRecord['by'] }): Promise<RunRecord>
  pause(name: string): RunRecord
  resume(name: string): RunRecord
  /** The run ends as `cancelled` when the step in flight is over. */
  cancel(name: string): RunRecord
  list(): RetrainingView[]
  /** Throws `unknown-retraining`. */
  get(name: string): RetrainingView
  /** The run of now, of whatever function. */
  active(): RunRecord | undefined
  /** Resolves when no run is active. */
  idle(): Promise<void>
  /** Stops the trainer between steps, records its run as interrupted, and starts no more. */
  close(): Promise<void>
}

export async function createRetraining(options: RetrainingOptions): Promise<Retraining> {
  const { dataDir, registry, samples, log, clock = systemClock, stopGraceMs = 10_000 } = options
  const { nextRun = () => null, createId = () => runId(clock) } = options
  const now = () => new Date(clock.now()).toISOString()
  const history = await openRunHistory(dataDir, { now, wasPromoted: run => wasPromoted(options.models, run) })
  const limits = await openMicroBatchLimits(dataDir)
  const runsFolder = join(dataDir, 'runs')
  await makeFolder(runsFolder)
  // What killed runs left: their records say `interrupted`, their half-made files are of no use.
  for (const name of await readdir(runsFolder))
    await rm(join(runsFolder, name), { recursive: true, force: true })

  /** Set before a start awaits anything, so that two starts cannot both pass. */
  let busy: Busy | undefined
  let closed = false

  const targetOf = (name: string): TrainableFunction => {
    const { deployment, retraining } = registry.get(name) ?? {}
    if (retraining === undefined) throw unknownRetraining(name)
    if (deployment === undefined) {
      throw new CorunError('function-unavailable', `function "${name}" has no working deployment to retrain`)
    }
    return { name, deployment, retraining }
  }
  const activeRun = (name: string): Run => {
    targetOf(name)
    if (busy?.run !== undefined && busy.name === name) return busy.run
    throw new CorunError('retraining-conflict', `no retraining of "${name}" is running`)
  }

  const begin = async (target: TrainableFunction, by: RunRecord['by']): Promise<Run> => {
    const id = createId()
    const folder = join(runsFolder, id)
    const { provider, threads } = options
    const candidateFile = join(folder, 'candidate.onnx')
    const memoryBytes = options.memoryBytes?.()
    const prepared = await prepareJob(target, samples, {
      runId: id,
      candidateFile,
      provider,
      threads,
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
    })
    const model = trainedModel(target)
    const { description } = target.retraining
    const microBatch = limits.of(model.id, memoryBytes) ?? description.batchSize
    const job = { ...prepared, microBatch, asks: options.yielding.asks }
    const counts = {
      training: job.training.length,
      validation: job.validation.length,
      heldOut: job.heldOut.length,
      reference: job.replay.length,
      referenceHeldOut: job.referenceHeldOut.length,
    }
    const record = newRun({
      id,
      function: target.name,
      model: model.id,
      by,
      startedAt: now(),
      parent: model.sha256,
      samples: counts,
    })
    await history.save(record)
    log.info({ run: id, function: target.name, by, samples: counts }, 'retraining starts')
    const context: RunContext = {
      ...{ oomKills, ...options },
      ...{ save: history.save, stopGraceMs, clock },
      onSmallerParts: microBatch =>
        limits.remember(model.id, { microBatch, memoryBytes: memoryBytes ?? null, at: now() }),
    }
    return startRun(record, job, folder, description, context)
  }

  const conclude = async ({ record, finished }: Run, startedAt: number) => {
    await finished
    record.endedAt = now()
    record.seconds = (clock.monotonic() - startedAt) / 1000
    await history
      .save(record)
      .catch(error => log.error({ run: record.id, err: error }, 'the end of a run could not be saved'))
    const { id: run, state, decision, seconds, before, after } = record
    options.onEnd?.({ function: record.function, state })
    log.info({ run, state, seconds, before, after, reasons: decision?.reasons }, 'retraining ended')
  }

  const view = (retraining: DeployedRetraining): RetrainingView =>
    retrainingView(retraining, {
      active: busy?.run?.record,
      runs: history.list(),
      nextRunAt: nextRun(retraining.function),
    })

  return {
    async start(name, { by = 'operator' } = {}) {
      const target = targetOf(name)
      if (closed) throw new CorunError('shutting-down', 'the server is shutting down: no run starts')
      if (busy !== undefined) {
        throw new CorunError(
          'retraining-conflict',
          `retraining of "${name}" cannot start: that of "${busy.name}" is running, and one runs at a time`,
        )
      }
      const startedAt = clock.monotonic()
      const begun = holding(samples, name, () => begin(target, by))
      const slot: Busy = { name, done: begun }
      busy = slot
      const free = () => {
        busy = undefined
      }
      try {
        const run = await begun
        slot.run = run
        slot.done = conclude(run, startedAt).then(free)
        if (closed) run.stop('interrupted')
        return structuredClone(run.record)
      } catch (error) {
        free()
        throw error
      }
    },
    pause(name) {
      const run = activeRun(name)
      run.pause()
      return structuredClone(run.record)
    },
    resume(name) {
      const run = activeRun(name)
      run.resume()
      return structuredClone(run.record)
    },
    cancel(name) {
      const run = activeRun(name)
      if (!run.stop('cancelled')) {
        throw new CorunError(
          'retraining-conflict',
          `the run of "${name}" is promoting its candidate: too late to cancel`,
        )
      }
      return structuredClone(run.record)
    },
    list: () => registry.list().flatMap(({ retraining }) => (retraining ? [view(retraining)] : [])),
    get(name) {
      const retraining = registry.get(name)?.retraining
      if (retraining === undefined) throw unknownRetraining(name)
      return view(retraining)
    },
    active: () => (busy?.run ? structuredClone(busy.run.record) : undefined),
    async idle() {
      while (busy !== undefined) await busy.done.catch(() => undefined)
    },
    async close() {
      closed = true
      busy?.run?.stop('interrupted')
      while (busy !== undefined) await busy.done.catch(() => undefined)
    },
  }
}

/** The run that holds the box, from the moment it was asked for; `done` settles when it lets go. */
interface Busy {
  name: string
  run?: Run
  done: Promise<unknown>
}

/** What a run reads stays until it has ended, whatever is removed meanwhile. */
async function holding(
  samples: Pick<SampleStore, 'hold'>,
  name: string,
  begin: () => Promise<Run>,
): Promise<Run> {
  const letGo = await samples.hold(name)
  try {
    const run = await begin()
    void run.finished.then(letGo)
    return run
  } catch (error) {
    letGo()
    throw error
  }
}

/** Whether the server was killed after a promotion was committed and before its run was recorded. */
const wasPromoted = (models: ModelStore, { id, model }: RunRecord): boolean =>
  models
    .list()
    .filter(known => known.id === model)
    .flatMap(known => known.versions)
    .some(version => version.runId === id && (version.state === 'current' || version.state === 'retired'))

const unknownRetraining = (name: string) =>
  new CorunError('unknown-retraining', `function "${name}" has no retraining`)

const runId = (clock: Clock) =>
  `${new Date(clock.now()).toISOString().replace(/[-:]|\.\d+Z/g, '')}-${randomBytes(4).toString('hex')}`
