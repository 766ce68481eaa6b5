/** The trainer as a load: it trains for ever until it is stopped, and its steps are counted. */
import { CorunError } from '../core/errors.ts'
import { isOutOfMemory } from '../core/out-of-memory.ts'
import type { TrainerJob } from '../core/trainer-messages.ts'
import { residentBytes } from '../device/memory.ts'
import { threadTimes } from '../device/thread-times.ts'
import type { LaunchTrainer } from '../training/launch.ts'
import type { ProbeJob } from './probe-job.ts'

/** A training loop that runs until it is stopped. */
export interface TrainingLoop {
  /** Steps since the loop began, the part of the present one that its processor time so far suggests included. */
  steps(): number
  stepsPerEpoch: number
  residentBytes(): number
  /** Set when it ended by itself: for memory, or else with this error. */
  ended(): 'memory' | CorunError | undefined
  /** What a probe must know to let it yield to its requests; null: it yields by itself, or not at all. */
  readonly yields: ProbeJob['trainer']
  /** A probe that was killed may have held it. */
  goOn(): void
  stop(): Promise<void>
}

/** How the trainer of a point runs. */
export type TrainerSetting = Pick<TrainerJob, 'threads'> & { microBatch: number }

/** A trainer that yields makes no step on a box that others keep busy: it is then measured as it is. */
const firstStepMs = 30_000

export interface LoopOptions {
  launch: LaunchTrainer
  jobFile: string
  /** Milliseconds. */
  now(): number
  /** How it yields to requests when a probe lets it; undefined: probes leave it alone. */
  yields?: Omit<NonNullable<ProbeJob['trainer']>, 'pid'> | undefined
}

/**
 * Resolves when the loop has made its first steps, or has had the time for them; undefined when memory did not hold it.
 * Throws `trainer-failed`.
 */
export function startTrainingLoop({
  launch,
  jobFile,
  now,
  yields,
}: LoopOptions): Promise<TrainingLoop | undefined> {
  return new Promise((resolve, reject) => {
    let [steps, stepsPerEpoch, stepMs, lastAt] = [0, 0, Number.POSITIVE_INFINITY, 0]
    let ended: 'memory' | CorunError | undefined
    let stopping = false
    let ranMs: number | undefined
    /** On a step. Processor time where it yields: what is held makes no progress. Else time. Unit: ms. */
    const spent = () => {
      if (yields === undefined || trainer.pid === undefined) return now()
      ranMs = threadTimes(trainer.pid)?.ranMs ?? ranMs
      return ranMs ?? now()
    }
    const end = (why: 'memory' | CorunError) => {
      ended ??= why
      if (ended === 'memory') resolve(undefined)
      else reject(ended)
    }
    const trainer = launch(jobFile, event => {
      if (event.type === 'ready') stepsPerEpoch = event.stepsPerEpoch
      else if (event.type === 'failed') {
        const error = new CorunError(event.error.code, event.error.message)
        end(isOutOfMemory(error) ? 'memory' : error)
      } else if (event.type === 'progress') {
        const at = spent()
        // Of this step alone: what came before the first one was no step. Two that are heard of together tell no time.
        if (steps > 0 && at > lastAt) stepMs = (at - lastAt) / Math.max(1, event.step - steps)
        ;[steps, lastAt] = [event.step, at]
        if (Number.isFinite(stepMs)) resolve(loop)
      }
    })
    const loop: TrainingLoop = {
      steps: () => steps + Math.min(0.99, (spent() - lastAt) / stepMs),
      get stepsPerEpoch() {
        return stepsPerEpoch
      },
      residentBytes: () => (trainer.pid === undefined ? 0 : residentBytes(trainer.pid)),
      ended: () => ended,
      yields: yields === undefined || trainer.pid === undefined ? null : { ...yields, pid: trainer.pid },
      goOn: trainer.goOn,
      async stop() {
        stopping = true
        clearTimeout(late)
        // It is a load alone: there is nothing that it should save first.
        trainer.kill()
        await trainer.ended
      },
    }
    const late = setTimeout(() => resolve(loop), firstStepMs)
    void trainer.ended.then(({ code, signal, stderrTail }) => {
      clearTimeout(late)
      if (stopping) return
      const how = `the training loop ended (${signal ?? code}): ${stderrTail}`
      end(signal === 'SIGKILL' ? 'memory' : new CorunError('trainer-failed', how))
    })
  })
}
