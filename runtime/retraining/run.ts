/** One run from its job to its end state. Which run may start, and what is kept of it, is in retraining.ts. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Canaries } from '../canary/canaries.ts'
import type { Clock } from '../core/clock.ts'
import type { CheckedRetraining } from '../core/definition-schema.ts'
import { serializeError } from '../core/errors.ts'
import type { TrainerEvent, TrainerJob } from '../core/trainer-messages.ts'
import type { ModelStore } from '../models/model-store.ts'
import type { Logger } from '../observe/log.ts'
import { makeFolder, writeDurably } from '../state/durable-file.ts'
import type { LaunchTrainer } from '../training/launch.ts'
import type { Yielding } from '../yielding/yielding.ts'
import { judgeAndSwitch } from './promote.ts'
import type { RetrainingRegistry } from './registry.ts'
import type { EndState, RunRecord } from './run-record.ts'
import { smallerParts } from './smaller-parts.ts'
import { startTraining, type TrainingOutcome, type TrainingProcess } from './training-process.ts'

export interface RunContext {
  models: ModelStore
  registry: RetrainingRegistry
  canaries: Pick<Canaries, 'begin'>
  launchTrainer: LaunchTrainer
  /** Told when a trainer runs and when it does not: the server changes its operating point. */
  onTraining(active: boolean): void | Promise<void>
  yielding: Yielding
  /** See device/oom-kills.ts. */
  oomKills(): number | undefined
  /** Memory did not hold more pictures at once than this. */
  onSmallerParts(microBatch: number): Promise<void>
  log: Logger
  clock: Clock
  /** Saves the record as it stands. */
  save(run: RunRecord): Promise<void>
  /** How long a trainer may take to stop. Unit: ms. */
  stopGraceMs: number
}

export interface Run {
  readonly record: RunRecord
  pause(): void
  resume(): void
  /** False when it is too late: the candidate is taking over. */
  stop(endState: 'cancelled' | 'interrupted'): boolean
  /** Resolves when the record is in an end state, or its candidate on trial. Never rejects. */
  readonly finished: Promise<void>
}

/** Starts a run whose record has been saved. `folder` is the run's own and goes with it. */
export function startRun(
  record: RunRecord,
  job: TrainerJob,
  folder: string,
  recipe: Pick<CheckedRetraining, 'accept' | 'batchSize' | 'canary'>,
  context: RunContext,
): Run {
  const { log, save, stopGraceMs, clock } = context
  let trainer: TrainingProcess | undefined
  let stopAs: 'cancelled' | 'interrupted' | undefined
  let switching = false
  /** Steps that the next trainer need not make again. */
  let keptSteps = 0
  /** That go through the model at once. */
  let pictures = Math.min(recipe.batchSize, job.microBatch ?? recipe.batchSize)
  const followed = context.yielding.follow({ paused: () => record.paused })

  const onEvent = (event: TrainerEvent) => {
    const nextEpoch = event.type === 'progress' && event.epoch !== record.progress?.epoch
    applyEvent(record, event)
    if (event.type === 'ready') {
      pictures = event.microBatch
      keptSteps = event.resumedAt ?? 0
      log.info({ run: record.id, ...event }, 'training has begun')
      // Commands that came before the trainer listened.
      if (record.paused) trainer?.pause()
    }
    if (event.type === 'checkpoint') keptSteps = event.step
    if (event.type === 'ready' || event.type === 'evaluating' || nextEpoch) {
      save(record).catch(error => log.error({ run: record.id, err: error }, 'a run could not be saved'))
    }
  }

  const launch = async (job: TrainerJob): Promise<TrainingOutcome> => {
    record.state = 'preparing'
    const jobFile = join(folder, 'job.json')
    await writeDurably(jobFile, JSON.stringify(job))
    if (stopAs !== undefined) return { type: 'stopped' }
    trainer = startTraining(context.launchTrainer, jobFile, onEvent, { followed, oomKills: context.oomKills })
    return trainer.outcome
  }

  /**
   * Each time that memory runs out, again with half as many pictures at once; and again from the last checkpoint when the
   * trainer is killed, as long as it gets on.
   */
  const train = async () => {
    record.yielded = followed.report
    await makeFolder(folder)
    await context.onTraining(true)
    try {
      for (;;) {
        const startedWith = keptSteps
        const outcome = await launch({ ...job, microBatch: pictures })
        if (outcome.type !== 'failed' || stopAs !== undefined) return outcome
        const why = outcome.error.message
        const fewer = smallerParts(pictures)
        if (!outcome.outOfMemory || fewer === undefined) {
          if (!outcome.killed || keptSteps <= startedWith) return outcome
          record.notes.push(`went on at step ${keptSteps}: ${why}`)
          log.warn({ run: record.id, step: keptSteps, why }, 'the trainer was killed: it goes on')
          await save(record)
          continue
        }
        log.warn({ run: record.id, pictures, fewer, why }, 'memory ran out: the trainer starts again')
        pictures = fewer
        record.relaunches.push({ microBatch: fewer, why, at: new Date(clock.now()).toISOString() })
        await Promise.all([save(record), context.onSmallerParts(fewer)])
      }
    } finally {
      await context.onTraining(false)
    }
  }

  const runToEnd = async (): Promise<EndState | 'canary'> => {
    const outcome = await train()
    if (stopAs !== undefined || outcome.type === 'stopped') return stopAs ?? 'interrupted'
    if (outcome.type === 'failed') throw outcome.error
    switching = true
    const { accept, canary: trial } = recipe
    const { decision, candidate, canary } = await judgeAndSwitch(
      record,
      outcome.done,
      { accept, labels: job.labels, ...(trial === undefined ? {} : { canary: trial }) },
      context,
    )
    record.decision = decision
    record.candidate = candidate
    if (canary !== undefined) {
      record.canary = canary
      return 'canary'
    }
    record.reason = decision.reasons.join('; ')
    return decision.promote ? 'promoted' : 'rejected'
  }

  const finish = async () => {
    let end: EndState | 'canary' = 'failed'
    try {
      end = await runToEnd()
    } catch (error) {
      const { code, message } = serializeError(error, 'internal-error')
      record.error = { code, message }
      record.reason = message
      log.error({ run: record.id, err: error }, 'retraining failed; the version before serves on')
    }
    await rm(folder, { recursive: true, force: true }).catch(() => undefined)
    record.state = end
    // One that goes on does so as the operator left it.
    if (end !== 'interrupted') record.paused = false
    if (end === 'cancelled') record.reason = 'cancelled by the operator'
    if (end === 'interrupted') {
      record.reason = 'stopped between two steps'
      record.goesOn = true
    }
  }

  return {
    record,
    pause() {
      record.paused = true
      trainer?.pause()
    },
    resume() {
      record.paused = false
      trainer?.resume()
    },
    stop(endState) {
      if (switching) return false
      stopAs ??= endState
      trainer?.stop(stopGraceMs)
      return true
    },
    finished: finish(),
  }
}

/** What the trainer says, into the record. */
function applyEvent(record: RunRecord, event: TrainerEvent): void {
  if (event.type === 'ready') {
    record.state = 'training'
    if (event.resumedAt !== undefined) record.notes.push(`goes on at step ${event.resumedAt}`)
  }
  if (event.type === 'evaluating') record.state = 'evaluating'
  if (event.type === 'progress') {
    const { type: _, ...progress } = event
    record.progress = progress
  }
  if (event.type === 'epoch') {
    const { type: _, epochs: __, ...epoch } = event
    record.curve = [...record.curve.filter(each => each.epoch < epoch.epoch), epoch]
  }
  if (event.type === 'done') {
    record.losses = event.losses
    record.epochSeconds = event.epochSeconds
    record.peakMemoryBytes = event.peakMemoryBytes
    record.before = event.before
    record.after = event.after
    record.bestEpoch = event.bestEpoch
    if (event.earlier !== undefined) record.notes.push('an earlier version fits: nothing was trained')
    const trained = event.losses.length
    if (event.bestEpoch !== null && trained < (record.progress?.epochs ?? trained)) {
      record.notes.push(`ended early after ${trained} epochs: the best one was ${event.bestEpoch}`)
    }
    record.comparison = event.comparison
    record.latency = event.latency
  }
}
