/**
 * Runs a training step again and again: what a run gives for parameters and optimizer state is what the next takes.
 * Each of them has two buffers that change places, because the engine may write an output while it still reads the
 * input: with one buffer for both the numbers are subtly wrong.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { TrainingStep } from '../autodiff/index.ts'
import { CorunError } from '../core/errors.ts'
import type { Batch } from './batch.ts'

export interface StepRunner {
  /** One step; answers the batch's loss before it. Throws `trainer-failed` when that is not a finite number. */
  run(batch: Batch, learningRate: number): Promise<number>
  /** The parameters as they are now, a tensor a slot. */
  parameters(): Float32Array[]
  close(): Promise<void>
}

/** A tensor that goes round, with its two buffers. */
interface Round {
  input: string
  output: string
  present: Tensor
  next: Tensor
}

export async function createStepRunner(
  step: TrainingStep,
  parameters: readonly Float32Array[],
  imageDims: readonly number[],
  options: InferenceSession.SessionOptions,
): Promise<StepRunner> {
  const session = await InferenceSession.create(step.model, options)
  const rounds = step.slots.flatMap((slot, index) => [
    makeRound(slot, parameters[index]),
    ...slot.state.map(loop => makeRound(loop)),
  ])
  const { inputs, outputs, batchSize, classes } = step
  const scalar = (value: number) => new Tensor('float32', Float32Array.of(value), [])
  let steps = 0
  return {
    async run({ images, targets, weights }, learningRate) {
      const feeds: Record<string, Tensor> = {
        [inputs.images]: new Tensor('float32', images, [batchSize, ...imageDims]),
        [inputs.targets]: new Tensor('float32', targets, [batchSize, classes]),
        [inputs.weights]: new Tensor('float32', weights, [batchSize]),
        [inputs.learningRate]: scalar(learningRate),
        [inputs.step]: scalar(steps + 1),
      }
      const fetches: Record<string, Tensor | null> = { [outputs.loss]: null }
      for (const { input, output, present, next } of rounds) {
        feeds[input] = present
        fetches[output] = next
      }
      const results = await session.run(feeds, fetches)
      const loss = Number(results[outputs.loss]?.data[0])
      if (!Number.isFinite(loss)) {
        throw new CorunError(
          'trainer-failed',
          `the loss is ${loss} in step ${steps + 1}: training diverged; expected a smaller learning rate than ${learningRate}`,
        )
      }
      for (const round of rounds) [round.present, round.next] = [round.next, round.present]
      steps += 1
      return loss
    },
    parameters: () =>
      step.slots.map(({ input }) => floats(rounds.find(round => round.input === input)?.present)),
    close: () => session.release(),
  }
}

function makeRound(
  { input, output, dims }: { input: string; output: string; dims: readonly number[] },
  data?: Float32Array,
): Round {
  const size = dims.reduce((product, dim) => product * dim, 1)
  const tensor = (values: Float32Array) => new Tensor('float32', values, [...dims])
  return {
    input,
    output,
    present: tensor(data ?? new Float32Array(size)),
    next: tensor(new Float32Array(size)),
  }
}

function floats(tensor: Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data
  throw new TypeError(`a parameter is ${tensor?.type ?? 'missing'}; expected float32`)
}
