/** The training loop: epochs of steps, with pauses and stops between them. */
import type { TrainingStep } from '../autodiff/index.ts'
import type { CheckedRetraining } from '../core/definition-schema.ts'
import { type Batch, makeBatch } from './batch.ts'
import type { Position } from './checkpoint.ts'
import type { Control } from './control.ts'
import type { Dataset } from './dataset.ts'
import { type EpochShape, planEpoch, stepsPerEpoch } from './epoch-plan.ts'
import { learningRateAt } from './learning-rate.ts'
import type { Progress } from './progress.ts'
import { seedAt, seededRandom } from './random.ts'
import type { StepRunner } from './step-runner.ts'

export interface EpochsOptions {
  runner: StepRunner
  /** Samples, then the pool of reference pictures, as `shape` counts them. */
  dataset: Dataset
  shape: EpochShape
  recipe: Pick<CheckedRetraining, 'epochs' | 'batchSize' | 'optimizer' | 'seed' | 'warmUp' | 'finalRate'>
  step: Pick<TrainingStep, 'classes'>
  /** Of what a step takes for one picture: channels, height, width, or those of its features. */
  dims: readonly number[]
  progress: Progress
  control: Control
  /** For ever, as a load to measure beside. */
  loop: boolean
  /** Where to begin. */
  from: Position
  /** After each step, when the epoch's end has been seen to; `stopped`: and it was the last. */
  onStep(next: Position, stopped: boolean): Promise<void>
  /** After each epoch; false ends the training. Undefined: it was stopped. */
  onEpoch(epoch: number): Promise<boolean | undefined>
}

/** False when it was stopped. */
export async function runEpochs(options: EpochsOptions): Promise<boolean> {
  const { runner, dataset, shape, recipe, progress, control, loop } = options
  const steps = recipe.epochs * stepsPerEpoch(shape)
  const batchShape = {
    batchSize: recipe.batchSize,
    classes: options.step.classes,
    pictureLength: options.dims.reduce((product, dim) => product * dim, 1),
  }
  let { index, step } = options.from
  for (let { epoch } = options.from; loop || epoch <= recipe.epochs; epoch += 1) {
    const plan = planEpoch(shape, seededRandom(seedAt(recipe.seed, epoch)))
    const batches = plan.map(indices => () => makeBatch(dataset, indices, batchShape, epoch))
    // Pictures of the next step are read and decoded, in threads of their own, while this one runs.
    let ahead = begin(batches[index])
    for (; index < batches.length; index += 1) {
      if (!(await control.mayGoOn())) {
        await options.onStep({ epoch, index, step }, true)
        return false
      }
      const startedAt = performance.now()
      const batch = await ahead
      ahead = begin(batches[index + 1])
      if (batch === undefined) break
      // A loop does the same work at rate 0: no overfitting, whose tiny numbers would change the speed.
      const peak = recipe.optimizer.learningRate
      const rate = loop ? 0 : learningRateAt(step, { ...recipe, peak, steps })
      const loss = await runner.run(batch, rate)
      step += 1
      const ms = performance.now() - startedAt
      const bounds = loop ? { epochs: epoch, steps: step } : { epochs: recipe.epochs, steps }
      progress.step({ epoch, step, loss, ms, ...bounds })
      if (index < batches.length - 1) await options.onStep({ epoch, index: index + 1, step }, false)
    }
    const goOn = await options.onEpoch(epoch)
    if (goOn === undefined) {
      // Its steps are made; what goes on judges it again.
      await options.onStep({ epoch, index: batches.length, step }, true)
      return false
    }
    index = 0
    await options.onStep({ epoch: epoch + 1, index, step }, false)
    if (!goOn) break
  }
  return true
}

/** A failure counts when the batch's turn comes. */
function begin(make: (() => Promise<Batch>) | undefined): Promise<Batch> | undefined {
  const batch = make?.()
  batch?.catch(() => undefined)
  return batch
}
