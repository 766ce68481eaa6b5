/** Builds the training step of a fixture network, all parameters trained, and runs it on seeded pictures. */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import {
  buildTrainingStep,
  type Optimizer,
  prepareForTraining,
  type TrainingStep,
} from '../../runtime/autodiff/index.ts'
import { elementCount, type Graph, readGraph } from '../../runtime/onnx/index.ts'
import { simplify } from '../../runtime/training/simplify.ts'
import { slotData } from '../../runtime/training/weights.ts'
import { numbersOf } from './numbers.ts'

export interface Examples {
  /** float32 [N, 3, size, size], from -1 to 1 */
  images: Float32Array
  /** float32 [N, classes]: soft, every row adds up to 1. */
  targets: Float32Array
}

export const BATCH = 2
const CLASSES = 1000

export function examplesFor(size: number, seed = 1): Examples {
  const picture = numbersOf('images', seed)
  const target = numbersOf('targets', seed)
  const images = Float32Array.from({ length: BATCH * 3 * size * size }, () => picture() * 2 - 1)
  const targets = new Float32Array(BATCH * CLASSES)
  for (let row = 0; row < BATCH; row++) {
    const scores = Array.from({ length: CLASSES }, () => target() ** 8)
    const sum = scores.reduce((a, b) => a + b)
    targets.set(
      scores.map(score => score / sum),
      row * CLASSES,
    )
  }
  return { images, targets }
}

export interface NetworkStep {
  step: TrainingStep
  /** The weights before training, a tensor a slot. */
  slots: Float32Array[]
  size: number
}

/** @throws CorunError `not-trainable` when an operator has no rule */
export async function buildNetworkStep(
  network: Uint8Array,
  size: number,
  optimizer: Optimizer,
): Promise<NetworkStep> {
  const graph: Graph = readGraph(network)
  const inputShape = [BATCH, 3, size, size]
  const prepared = prepareForTraining(graph, { inputShape, trainable: () => true })
  const step = buildTrainingStep({ ...prepared, graph: await simplify(prepared.graph) }, { optimizer })
  return { step, slots: slotData(step, graph), size }
}

export interface StepResults {
  /** The loss before each step. */
  losses: number[]
  /** By parameter name: the first state tensor after the first step. With SGD and momentum, that is the gradient. */
  gradients: Map<string, Float32Array>
}

/** `count` steps on the same pictures. */
export async function runSteps(
  { step, slots, size }: NetworkStep,
  { images, targets }: Examples,
  { count, learningRate }: { count: number; learningRate: number },
): Promise<StepResults> {
  const session = await InferenceSession.create(step.model, { logSeverityLevel: 3 })
  const tensor = (data: Float32Array, dims: readonly number[]) => new Tensor('float32', data, [...dims])
  const { inputs, outputs } = step
  const feeds: Record<string, Tensor> = {
    [inputs.images]: tensor(images, [BATCH, 3, size, size]),
    [inputs.targets]: tensor(targets, [BATCH, CLASSES]),
    [inputs.weights]: tensor(new Float32Array(BATCH).fill(1), [BATCH]),
    [inputs.learningRate]: tensor(Float32Array.of(learningRate), []),
  }
  for (const [index, { input, dims, state }] of step.slots.entries()) {
    feeds[input] = tensor(slots[index] ?? new Float32Array(), dims)
    for (const loop of state) feeds[loop.input] = tensor(new Float32Array(elementCount(loop.dims)), loop.dims)
  }
  const losses: number[] = []
  let gradients = new Map<string, Float32Array>()
  for (let index = 0; index < count; index++) {
    feeds[inputs.step] = tensor(Float32Array.of(index + 1), [])
    const made = await session.run(feeds)
    losses.push(Number(made[outputs.loss]?.data[0]))
    if (index === 0) gradients = firstState(step, made)
    for (const { input, output } of step.slots.flatMap(slot => [slot, ...slot.state])) {
      const next = made[output]
      if (next) feeds[input] = next
    }
  }
  await session.release()
  return { losses, gradients }
}

function firstState(step: TrainingStep, made: InferenceSession.ReturnType): Map<string, Float32Array> {
  return new Map(
    step.parameters.map(({ name, dims, slot, offset }) => {
      const data = made[step.slots[slot]?.state[0]?.output ?? '']?.data
      if (!(data instanceof Float32Array)) throw new TypeError(`${name} has no state`)
      return [name, data.slice(offset, offset + elementCount(dims))]
    }),
  )
}
