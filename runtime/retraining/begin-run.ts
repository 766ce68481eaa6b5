/** From a wish to a run: its record, its job, its folders; for a new run, and for one that goes on where another was interrupted. */
import { randomBytes } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { CorunError } from '../core/errors.ts'
import type { TrainerJob } from '../core/trainer-messages.ts'
import { oomKills } from '../device/oom-kills.ts'
import type { ModelStore } from '../models/model-store.ts'
import type { SampleStore } from '../samples/sample-store.ts'
import { makeFolder } from '../state/durable-file.ts'
import { openCheckpoints } from './checkpoints.ts'
import { earlierVersions } from './earlier.ts'
import { mostTries, triesAt, whyNotGoOn } from './go-on.ts'
import { openMicroBatchLimits } from './micro-batch-limits.ts'
import { prepareJob, type TrainableFunction, trainedModel } from './prepare-job.ts'
import { type Run, type RunContext, startRun } from './run.ts'
import { newRun, type RunRecord } from './run-record.ts'

export interface BeginOptions extends Omit<RunContext, 'stopGraceMs' | 'oomKills' | 'onSmallerParts'> {
  models: ModelStore
  samples: Pick<SampleStore, 'list'>
  dataDir: string
  /** Execution provider of the trainer. */
  provider: string
  /** Its intra-op threads. */
  threads: number
  /** What it may take of memory when a run starts; no bound when left out. */
  memoryBytes?: () => number
  /** Pictures at once that a profile found best for training that function beside serving; undefined: not measured. */
  profiledMicroBatch?: (name: string) => number | undefined
  clock: Clock
  /** ISO 8601. */
  now(): string
  /** Default: what the kernel tells. */
  oomKills?: () => number | undefined
  /** Default: the time and four random bytes. */
  createId?: () => string
  /** How long a trainer may take to stop before it is killed. Default 10,000. */
  stopGraceMs?: number
}

export interface Beginnings {
  /** A queued run's record. Throws `too-few-samples`, and `invalid-definition`. */
  record(target: TrainableFunction, reason: Pick<RunRecord, 'by' | 'why'>): Promise<RunRecord>
  /** The record of a run that takes up an interrupted one, or begins anew and notes why. Throws as `record` does. */
  goOn(interrupted: RunRecord, target: TrainableFunction): Promise<RunRecord>
  /** Its turn has come: with the samples and the version of now, unless it goes on. */
  begin(record: RunRecord, target: () => TrainableFunction): Promise<Run>
  /** What a run that is over kept for going on. */
  discard(name: string): Promise<void>
  /** The same for all but these functions. */
  keepOnly(names: ReadonlySet<string>): Promise<void>
}

export async function createBeginnings(options: BeginOptions): Promise<Beginnings> {
  const { dataDir, samples, models, clock, now, log, stopGraceMs = 10_000 } = options
  const { createId = () => runId(clock) } = options
  const limits = await openMicroBatchLimits(dataDir)
  const checkpoints = await openCheckpoints(dataDir)
  const runsFolder = join(dataDir, 'runs')
  await makeFolder(runsFolder)
  // What killed runs left: half-made files that are of no use.
  for (const name of await readdir(runsFolder))
    await rm(join(runsFolder, name), { recursive: true, force: true })

  /** What is this machine's of a job, now. */
  const settingsOf = (id: string, target: TrainableFunction) => {
    const memoryBytes = options.memoryBytes?.()
    const { provider, threads } = options
    return {
      runId: id,
      candidateFile: join(runsFolder, id, 'candidate.onnx'),
      checkpointFolder: checkpoints.folder(target.name),
      provider,
      threads,
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
    }
  }
  const newJob = async (id: string, target: TrainableFunction): Promise<TrainerJob> => {
    const settings = settingsOf(id, target)
    const job = { ...(await prepareJob(target, samples, settings)), ...settings }
    const model = trainedModel(target)
    const file = (sha256: string) => models.version(model.id, sha256)
    return { ...job, earlier: earlierVersions(models.get(model.id), file, job.labels) }
  }
  const recordOf = (
    job: TrainerJob,
    target: TrainableFunction,
    { by, why }: Pick<RunRecord, 'by' | 'why'>,
  ): RunRecord => {
    const { id: model, sha256: parent } = trainedModel(target)
    const { seed } = target.retraining.description
    const fields = { id: job.runId, function: target.name, model, by, why, startedAt: now() }
    return newRun({ ...fields, parent, seed, samples: countsOf(job) })
  }
  const presentFacts = async (target: TrainableFunction) => {
    const known = await samples.list(target.name)
    return {
      current: trainedModel(target).sha256,
      bundle: target.retraining.bundle,
      samples: new Map(known.map(({ file, label }) => [file, label])),
    }
  }

  return {
    record: async (target, reason) => recordOf(await newJob(createId(), target), target, reason),
    async goOn(interrupted, target) {
      const { function: name, parent, paused } = interrupted
      const id = createId()
      const job = await checkpoints.job(name, interrupted.id)
      const obstacle = job && whyNotGoOn(job, parent, await presentFacts(target))
      const step = job === undefined ? 0 : await checkpoints.step(name)
      const tries = triesAt(step, interrupted.resumes)
      if (tries > mostTries) {
        throw new CorunError(
          'trainer-failed',
          `it was interrupted ${mostTries} times in a row at step ${step}`,
        )
      }
      if (job === undefined || obstacle !== undefined) {
        const begun = recordOf(await newJob(id, target), target, interrupted)
        begun.notes.push(
          `run ${interrupted.id} was interrupted; starts afresh${obstacle ? `: ${obstacle}` : ''}`,
        )
        begun.resumes = { run: interrupted.id, step: 0, tries }
        begun.paused = paused
        return begun
      }
      // Earlier versions have been tried.
      const next = { ...job, ...settingsOf(id, target), continues: interrupted.id, earlier: [] }
      await checkpoints.take(name, next)
      const record = recordOf(next, target, interrupted)
      record.notes.push(`run ${interrupted.id} was interrupted; goes on with its samples`)
      record.resumes = { run: interrupted.id, step, tries }
      record.paused = paused
      return record
    },
    async begin(record, findTarget) {
      const target = findTarget()
      const { id, function: name } = record
      const kept = await checkpoints.job(name, id)
      const obstacle = kept && whyNotGoOn(kept, record.parent, await presentFacts(target))
      const prepared = kept !== undefined && obstacle === undefined ? kept : await newJob(id, target)
      if (prepared !== kept) await checkpoints.begin(name, prepared)
      if (obstacle !== undefined) record.notes.push(`starts afresh: ${obstacle}`)
      const model = trainedModel(target)
      record.parent = model.sha256
      record.samples = countsOf(prepared)
      const { description } = target.retraining
      const microBatch = Math.min(
        limits.of(model.id, prepared.memoryBytes) ?? description.batchSize,
        options.profiledMicroBatch?.(record.function) ?? description.batchSize,
      )
      const job = { ...prepared, microBatch, asks: options.yielding.asks }
      log.info({ run: id, function: name, samples: record.samples }, 'retraining starts')
      const context: RunContext = {
        ...{ oomKills, ...options },
        ...{ stopGraceMs, clock },
        onSmallerParts: microBatch =>
          limits.remember(model.id, { microBatch, memoryBytes: prepared.memoryBytes ?? null, at: now() }),
      }
      // Its trainer may be started again, whatever the definition is replaced by meanwhile.
      const letGo = options.registry.holdBundle(job.bundle)
      const run = startRun(record, job, join(runsFolder, id), description, context)
      void run.finished.then(letGo)
      return run
    },
    discard: checkpoints.remove,
    keepOnly: checkpoints.keepOnly,
  }
}

const countsOf = (job: TrainerJob): RunRecord['samples'] => ({
  training: job.training.length,
  validation: job.validation.length,
  heldOut: job.heldOut.length,
  reference: job.replay.length,
  referenceHeldOut: job.referenceHeldOut.length,
})

const runId = (clock: Clock) =>
  `${new Date(clock.now()).toISOString().replace(/[-:]|\.\d+Z/g, '')}-${randomBytes(4).toString('hex')}`
