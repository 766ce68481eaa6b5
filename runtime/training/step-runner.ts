/** Runs a training step again and again: what a run gives for parameters and optimizer state is what the next takes. */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { Slot, TrainingStep } from '../autodiff/index.ts'
import { CorunError } from '../core/errors.ts'
import type { Batch } from './batch.ts'
import { type Loop, roundsFor, zeros } from './rounds.ts'

export interface StepRunner {
  /** One step; answers the batch's loss before it. Throws `trainer-failed` when that is not a finite number. */
  run(batch: Batch, learningRate: number): Promise<number>
  /** What training has made of the parameters, a tensor a slot: their averages, where the step keeps some. */
  parameters(): Promise<Float32Array[]>
  /** All that the next step depends on. The tensors are the runner's own until then. */
  state(): Promise<RunnerState>
  close(): Promise<void>
}

/** Each slot's parameters and then its optimizer's state, slot by slot; the same for a step whole and in parts. */
export interface RunnerState {
  /** That have been made. */
  steps: number
  tensors: Float32Array[]
}

/** `parameters`: a tensor a slot, to begin with; `from`: where a runner of the same step was. They stay on the device between steps where that is WebGPU's. */
export async function createStepRunner(
  step: TrainingStep,
  parameters: readonly Float32Array[],
  imageDims: readonly number[],
  options: InferenceSession.SessionOptions,
  from?: RunnerState,
): Promise<StepRunner> {
  const loops = loopsOf(step.slots, parameters, from?.tensors)
  const rounds = roundsFor(loops, options)
  const session = await InferenceSession.create(step.model, { ...options, ...rounds.options })
  const { inputs, outputs, batchSize, classes } = step
  const scalar = (value: number) => new Tensor('float32', Float32Array.of(value), [])
  let steps = from?.steps ?? 0
  return {
    async run({ images, targets, weights }, learningRate) {
      const feeds: Record<string, Tensor> = {
        ...rounds.feeds(),
        [inputs.images]: new Tensor('float32', images, [batchSize, ...imageDims]),
        [inputs.targets]: new Tensor('float32', targets, [batchSize, classes]),
        [inputs.weights]: new Tensor('float32', weights, [batchSize]),
        [inputs.learningRate]: scalar(learningRate),
        [inputs.step]: scalar(steps + 1),
      }
      const results = await session.run(feeds, { ...rounds.fetches(), [outputs.loss]: null })
      const loss = finiteLoss(Number(results[outputs.loss]?.data[0]), steps, learningRate)
      rounds.turn(results)
      steps += 1
      return loss
    },
    parameters: () => rounds.read(step.slots.map(({ input, average }) => average?.input ?? input)),
    async state() {
      return { steps, tensors: await rounds.read(loops.map(({ input }) => input)) }
    },
    async close() {
      rounds.close()
      await session.release()
    },
  }
}

/** What goes round in a runner: with `state`, as it was in another one, else `parameters` and zeros. */
export function loopsOf(
  slots: readonly Slot[],
  parameters: readonly Float32Array[],
  state?: readonly Float32Array[],
): Loop[] {
  const loops = slots.flatMap((slot, index): Loop[] => [
    { ...slot, data: parameters[index] ?? zeros(slot.dims) },
    ...slot.state.map(loop => ({ ...loop, data: zeros(loop.dims) })),
  ])
  return state === undefined
    ? loops
    : loops.map((loop, index) => ({ ...loop, data: state[index]?.slice() ?? loop.data }))
}

/** `loss`, after `steps` good steps. Throws `trainer-failed` when it is no number any more. */
export function finiteLoss(loss: number, steps: number, learningRate: number): number {
  if (Number.isFinite(loss)) return loss
  throw new CorunError(
    'trainer-failed',
    `the loss is ${loss} in step ${steps + 1}: training diverged; expected a smaller learning rate than ${learningRate}`,
  )
}
