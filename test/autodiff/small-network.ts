/** A network of a few dozen weights, and a way to run training steps on it: for what is about steps, not operators. */
import {
  type AccumulatingStep,
  type PreparedGraph,
  type PrepareOptions,
  prepareForTraining,
  type TrainingStep,
} from '../../runtime/autodiff/index.ts'
import {
  createNode,
  float as floatAttribute,
  floatTensor,
  type Graph,
  ints,
} from '../../runtime/onnx/index.ts'
import { type Feeds, float, floats, open, random, shaped } from './engine.ts'

export const CLASSES = 3

/** x [N, 2, 4, 4] -> Conv -> BatchNormalization -> Tanh -> GlobalAveragePool -> Gemm -> y [N, 3] */
export function smallNetwork(): Graph {
  const next = random(21)
  const made = (...dims: number[]) =>
    floatTensor(
      dims,
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => next() - 0.5),
    )
  return {
    name: 'small',
    inputs: [{ name: 'x', type: 'float32', dims: ['N', 2, 4, 4] }],
    outputs: [{ name: 'y', type: 'float32', dims: ['N', CLASSES] }],
    nodes: [
      createNode('Conv', ['x', 'conv.weight'], ['c'], { pads: ints([1, 1, 1, 1]) }),
      createNode('BatchNormalization', ['c', 'bn.weight', 'bn.bias', 'bn.mean', 'bn.var'], ['n'], {
        epsilon: floatAttribute(0.01),
        momentum: floatAttribute(0.75),
      }),
      createNode('Tanh', ['n'], ['t']),
      createNode('GlobalAveragePool', ['t'], ['p']),
      createNode('Flatten', ['p'], ['f']),
      createNode('Gemm', ['f', 'fc.weight', 'fc.bias'], ['y']),
    ],
    initializers: new Map([
      ['conv.weight', made(4, 2, 3, 3)],
      ['bn.weight', floatTensor([4], [1, 1.5, 0.5, 2])],
      ['bn.bias', made(4)],
      ['bn.mean', made(4)],
      ['bn.var', floatTensor([4], [1, 0.5, 2, 1])],
      ['fc.weight', made(4, CLASSES)],
      ['fc.bias', made(CLASSES)],
    ]),
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  }
}

export async function prepared(
  batchSize: number,
  options: Partial<PrepareOptions> = {},
): Promise<PreparedGraph> {
  const inputShape = [batchSize, 2, 4, 4]
  const made = prepareForTraining(smallNetwork(), { inputShape, trainable: () => true, ...options })
  return { ...made, graph: await shaped(made.graph) }
}

export interface Samples {
  images: Float32Array
  targets: Float32Array
  weights: Float32Array
}

export function samples(count: number, seed = 5): Samples {
  const next = random(seed)
  const targets = new Float32Array(count * CLASSES)
  for (let n = 0; n < count; n++) targets[n * CLASSES + Math.floor(next() * CLASSES)] = 1
  return {
    images: Float32Array.from({ length: count * 32 }, () => next() * 4 - 2),
    targets,
    weights: Float32Array.from({ length: count }, () => 0.25 + next()),
  }
}

export function rows({ images, targets, weights }: Samples, from: number, count: number): Samples {
  return {
    images: images.slice(from * 32, (from + count) * 32),
    targets: targets.slice(from * CLASSES, (from + count) * CLASSES),
    weights: weights.slice(from, from + count),
  }
}

/** Feeds for one batch under the names of a step's inputs. */
export function dataFeeds(
  { images, targets, weights }: Samples,
  inputs: Pick<TrainingStep['inputs'], 'images' | 'targets' | 'weights'>,
): Feeds {
  const count = weights.length
  return {
    [inputs.images]: float([count, 2, 4, 4], images),
    [inputs.targets]: float([count, CLASSES], targets),
    [inputs.weights]: float([count], weights),
  }
}

/** The network's own values in the form of the slots. */
export function initialSlots(
  { parameters }: Pick<TrainingStep, 'parameters'>,
  sizes: readonly number[][],
): Float32Array[] {
  const { initializers } = smallNetwork()
  const slots = sizes.map(dims => new Float32Array(dims.reduce((a, b) => a * b, 1)))
  for (const { name, slot, offset } of parameters) {
    slots[slot]?.set(initializers.get(name)?.data as Float32Array, offset) // all of them are float32
  }
  return slots
}

/** Values by parameter name. */
export function byName(
  { parameters }: Pick<TrainingStep | AccumulatingStep, 'parameters'>,
  slots: readonly Float32Array[],
): Map<string, number[]> {
  return new Map(
    parameters.map(({ name, dims, slot, offset }) => {
      const count = dims.reduce((a, b) => a * b, 1)
      return [name, [...(slots[slot]?.slice(offset, offset + count) ?? [])]]
    }),
  )
}

export interface StepResult {
  loss: number
  gradientNorm: number
  slots: Float32Array[]
  averages: (Float32Array | undefined)[]
}

/** Runs a step a batch, and tells what each gave. */
export async function runSteps(
  step: TrainingStep,
  batches: readonly Samples[],
  learningRate = 0.1,
): Promise<StepResult[]> {
  const session = await open(step.model)
  const start = initialSlots(
    step,
    step.slots.map(({ dims }) => dims),
  )
  const feeds: Feeds = {}
  for (const [index, slot] of step.slots.entries()) {
    feeds[slot.input] = float(slot.dims, start[index] ?? [])
    for (const { input, dims } of slot.state)
      feeds[input] = float(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)))
  }
  const results: StepResult[] = []
  for (const [index, batch] of batches.entries()) {
    const made = await session.run({
      ...feeds,
      ...dataFeeds(batch, step.inputs),
      [step.inputs.learningRate]: float([], [learningRate]),
      [step.inputs.step]: float([], [index + 1]),
    })
    for (const { input, output, dims } of step.slots.flatMap(slot => [slot, ...slot.state])) {
      feeds[input] = float(dims, floats(made[output]))
    }
    results.push({
      loss: floats(made[step.outputs.loss])[0] ?? NaN,
      gradientNorm: step.outputs.gradientNorm ? (floats(made[step.outputs.gradientNorm])[0] ?? NaN) : NaN,
      slots: step.slots.map(({ output }) => floats(made[output]).slice()),
      averages: step.slots.map(({ average }) => average && floats(made[average.output]).slice()),
    })
  }
  await session.release()
  return results
}
