/** The trainer as a load: it trains for ever until it is stopped, and its steps are counted. */
import { CorunError } from '../core/errors.ts'
import { residentBytes } from '../device/memory.ts'
import type { LaunchTrainer } from '../training/launch.ts'
import type { TrainingLoop } from './profile-box.ts'

/** Resolves when the loop has reported its first steps. Throws `trainer-failed`. */
export function startTrainingLoop(launch: LaunchTrainer, jobFile: string): Promise<TrainingLoop> {
  return new Promise((resolve, reject) => {
    let steps = 0
    let stepsPerEpoch = 0
    const trainer = launch(jobFile, event => {
      if (event.type === 'ready') stepsPerEpoch = event.stepsPerEpoch
      else if (event.type === 'failed') reject(new CorunError(event.error.code, event.error.message))
      else if (event.type === 'progress') {
        steps = event.step
        resolve(loop)
      }
    })
    const loop: TrainingLoop = {
      steps: () => steps,
      get stepsPerEpoch() {
        return stepsPerEpoch
      },
      residentBytes: () => (trainer.pid === undefined ? 0 : residentBytes(trainer.pid)),
      async stop() {
        trainer.send({ type: 'stop' })
        await trainer.ended
      },
    }
    void trainer.ended.then(({ code, signal, stderrTail }) =>
      reject(new CorunError('trainer-failed', `the training loop ended (${signal ?? code}): ${stderrTail}`)),
    )
  })
}
