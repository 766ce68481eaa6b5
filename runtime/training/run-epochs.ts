/** The training loop: epochs of steps, with pauses and stops between them. */
import type { TrainingStep } from '../autodiff/index.ts'
import type { CheckedRetraining } from '../core/definition-schema.ts'
import { type Batch, makeBatch } from './batch.ts'
import type { Control } from './control.ts'
import type { Dataset } from './dataset.ts'
import { type EpochShape, planEpoch, stepsPerEpoch } from './epoch-plan.ts'
import { learningRateAt } from './learning-rate.ts'
import type { Progress } from './progress.ts'
import { seededRandom } from './random.ts'
import type { StepRunner } from './step-runner.ts'

export interface EpochsOptions {
  runner: StepRunner
  /** Samples, then the pool of reference pictures, as `shape` counts them. */
  dataset: Dataset
  shape: EpochShape
  recipe: Pick<CheckedRetraining, 'epochs' | 'batchSize' | 'optimizer' | 'seed'>
  step: Pick<TrainingStep, 'classes'>
  /** Of what a step takes for one picture: channels, height, width, or those of its features. */
  dims: readonly number[]
  progress: Progress
  control: Control
  /** For ever, as a load to measure beside. */
  loop: boolean
}

/** Answers the seconds that each epoch took, without pauses; undefined when it was stopped. */
export async function runEpochs(options: EpochsOptions): Promise<number[] | undefined> {
  const { runner, dataset, shape, recipe, progress, control, loop } = options
  const random = seededRandom(recipe.seed)
  const steps = recipe.epochs * stepsPerEpoch(shape)
  const batchShape = {
    batchSize: recipe.batchSize,
    classes: options.step.classes,
    pictureLength: options.dims.reduce((product, dim) => product * dim, 1),
  }
  const epochSeconds: number[] = []
  let step = 0
  for (let epoch = 1; loop || epoch <= recipe.epochs; epoch += 1) {
    const batches = planEpoch(shape, random).map(indices => () => makeBatch(dataset, indices, batchShape))
    let epochMs = 0
    // Pictures of the next step are read and decoded, in threads of their own, while this one runs.
    let ahead = begin(batches[0])
    for (const index of batches.keys()) {
      if (!(await control.mayGoOn())) return undefined
      const startedAt = performance.now()
      const batch = await ahead
      ahead = begin(batches[index + 1])
      if (batch === undefined) break
      // A loop does the same work at rate 0: no overfitting, whose tiny numbers would change the speed.
      const rate = loop ? 0 : learningRateAt(step, { peak: recipe.optimizer.learningRate, steps })
      const loss = await runner.run(batch, rate)
      step += 1
      const ms = performance.now() - startedAt
      epochMs += ms
      const bounds = loop ? { epochs: epoch, steps: step } : { epochs: recipe.epochs, steps }
      progress.step({ epoch, step, loss, ms, ...bounds })
    }
    epochSeconds.push(epochMs / 1000)
  }
  return epochSeconds
}

/** A failure counts when the batch's turn comes. */
function begin(make: (() => Promise<Batch>) | undefined): Promise<Batch> | undefined {
  const batch = make?.()
  batch?.catch(() => undefined)
  return batch
}
