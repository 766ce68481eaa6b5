/** The trainer as a load: it trains for ever until it is stopped, and its steps are counted. */
import { CorunError } from '../core/errors.ts'
import { isOutOfMemory } from '../core/out-of-memory.ts'
import type { TrainerJob } from '../core/trainer-messages.ts'
import { residentBytes } from '../device/memory.ts'
import type { LaunchTrainer } from '../training/launch.ts'

/** A training loop that runs until it is stopped. */
export interface TrainingLoop {
  /** Steps since the loop began, the part of the present one that its time so far suggests included. */
  steps(): number
  stepsPerEpoch: number
  residentBytes(): number
  /** Set when it ended by itself: for memory, or else with this error. */
  ended(): 'memory' | CorunError | undefined
  stop(): Promise<void>
}

/** How the trainer of a point runs. */
export type TrainerSetting = Pick<TrainerJob, 'threads'> & { microBatch: number }

/** A trainer that yields makes no step on a box that others keep busy: it is then measured as it is. */
const firstStepMs = 30_000

/**
 * Resolves when the loop has made its first steps, or has had the time for them; undefined when memory did not hold it.
 * Throws `trainer-failed`.
 */
export function startTrainingLoop(
  launch: LaunchTrainer,
  jobFile: string,
  now: () => number,
): Promise<TrainingLoop | undefined> {
  return new Promise((resolve, reject) => {
    let [steps, stepsPerEpoch, stepMs, lastAt] = [0, 0, Number.POSITIVE_INFINITY, now()]
    let ended: 'memory' | CorunError | undefined
    let stopping = false
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
        ;[steps, stepMs, lastAt] = [event.step, event.stepMs, now()]
        resolve(loop)
      }
    })
    const loop: TrainingLoop = {
      steps: () => steps + Math.min(0.99, (now() - lastAt) / stepMs),
      get stepsPerEpoch() {
        return stepsPerEpoch
      },
      residentBytes: () => (trainer.pid === undefined ? 0 : residentBytes(trainer.pid)),
      ended: () => ended,
      async stop() {
        stopping = true
        clearTimeout(late)
        trainer.send({ type: 'stop' })
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
