/**
 * Trains a small network with WebGPU and then with the CPU, and prints how far apart they end, or why the device
 * cannot be had. A process of its own: the device is found by its environment, and two threads on it would crash.
 */

import { checkRetraining } from '../../runtime/core/definition-schema.ts'
import { adam, type Optimizer, sgd } from '../../runtime/core/retraining-definition.ts'
import {
  createNode,
  floatTensor,
  type Graph,
  int,
  ints,
  readGraph,
  type Tensor,
  writeGraph,
} from '../../runtime/onnx/index.ts'
import { makeStep } from '../../runtime/training/make-step.ts'
import { seededRandom } from '../../runtime/training/random.ts'
import { sessionOptions } from '../../runtime/training/session-options.ts'
import { createStepRunner } from '../../runtime/training/step-runner.ts'
import { slotData } from '../../runtime/training/weights.ts'

const dims = [3, 16, 16]
const batchSize = 2
const classes = 4
const steps = 3

/** A stem with pool, a residual block with a depthwise convolution and squeeze-and-excitation, a head. */
function network(): Uint8Array {
  const random = seededRandom(11)
  const initializers = new Map<string, Tensor>()
  const weight = (name: string, ...shape: number[]) => {
    const data = Array.from({ length: shape.reduce((a, b) => a * b) }, () => random() - 0.5)
    initializers.set(name, floatTensor(shape, data))
    return name
  }
  const conv = (x: string, y: string, shape: number[], attributes: Record<string, number | number[]>) =>
    createNode(
      'Conv',
      [x, weight(`${y}.weight`, ...shape), weight(`${y}.bias`, shape[0] ?? 0)],
      [y],
      Object.fromEntries(
        Object.entries(attributes).map(([name, value]) => [
          name,
          typeof value === 'number' ? int(value) : ints(value),
        ]),
      ),
    )
  const statistics = ['mean', 'var'].map(name => {
    initializers.set(`bn.${name}`, floatTensor([8], [1, 0.5, 2, 1, 1.5, 0.7, 1, 3]))
    return `bn.${name}`
  })
  const pads = [1, 1, 1, 1]
  const graph: Graph = {
    name: 'webgpu-test',
    inputs: [{ name: 'x', type: 'float32', dims: ['N', ...dims] }],
    outputs: [{ name: 'y', type: 'float32', dims: ['N', classes] }],
    nodes: [
      conv('x', 'stem', [8, 3, 3, 3], { pads, strides: [2, 2] }),
      createNode(
        'BatchNormalization',
        ['stem', weight('bn.weight', 8), weight('bn.bias', 8), ...statistics],
        ['bn'],
      ),
      createNode('Relu', ['bn'], ['r']),
      createNode('MaxPool', ['r'], ['p'], {
        kernel_shape: ints([3, 3]),
        strides: ints([2, 2]),
        pads: ints(pads),
      }),
      conv('p', 'depthwise', [8, 1, 3, 3], { pads, group: 8 }),
      createNode('HardSwish', ['depthwise'], ['h']),
      createNode('GlobalAveragePool', ['h'], ['g']),
      conv('g', 'squeeze', [8, 8, 1, 1], {}),
      createNode('HardSigmoid', ['squeeze'], ['s']),
      createNode('Mul', ['h', 's'], ['e']),
      conv('e', 'dense', [8, 8, 3, 3], { pads }),
      createNode('Add', ['dense', 'p'], ['a']),
      conv('a', 'last', [8, 8, 3, 3], { pads, strides: [2, 2] }),
      createNode('Sigmoid', ['last'], ['l']),
      createNode('GlobalAveragePool', ['l'], ['q']),
      createNode('Flatten', ['q'], ['f']),
      createNode('Gemm', ['f', weight('fc.weight', 8, classes), weight('fc.bias', classes)], ['y']),
    ],
    initializers,
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  }
  return writeGraph(graph)
}

async function train(provider: string, optimizer: Optimizer) {
  const bytes = network()
  const labels = Array.from({ length: classes }, String)
  const model = { file: '', inputName: 'x', outputName: 'y', labels }
  const recipe = checkRetraining('webgpu', { model: 'm', batchSize, optimizer })
  const { step } = await makeStep(bytes, { model, provider }, recipe, dims)
  const options = sessionOptions({ provider, threads: 1 })
  const runner = await createStepRunner(step, slotData(step, readGraph(bytes)), dims, options)
  const random = seededRandom(5)
  const losses: number[] = []
  for (let index = 0; index < steps; index += 1) {
    const images = Float32Array.from({ length: batchSize * 3 * 16 * 16 }, () => random() * 2 - 1)
    const targets = new Float32Array(batchSize * classes)
    for (let row = 0; row < batchSize; row += 1) targets[row * classes + ((row + index) % classes)] = 1
    const weights = new Float32Array(batchSize).fill(1)
    losses.push(await runner.run({ images, targets, weights, count: batchSize }, optimizer.learningRate))
  }
  const parameters = (await runner.parameters()).map(data => data.slice())
  await runner.close()
  return { losses, parameters }
}

/** Relative to the largest entry of each tensor. */
function distance(a: readonly (Float32Array | number[])[], b: readonly (Float32Array | number[])[]): number {
  return Math.max(
    ...a.map((tensor, index) => {
      const largest = Math.max(...[...tensor].map(Math.abs))
      return Math.max(...[...tensor].map((value, at) => Math.abs(value - (b[index]?.[at] ?? NaN)))) / largest
    }),
  )
}

const optimizers = { sgd: sgd({ learningRate: 0.1 }), adam: adam({ learningRate: 0.01 }) }
const result: Record<string, { losses: number; parameters: number }> = {}
try {
  for (const [name, optimizer] of Object.entries(optimizers)) {
    const device = await train('webgpu', optimizer)
    const cpu = await train('cpu', optimizer)
    result[name] = {
      losses: distance([device.losses], [cpu.losses]),
      parameters: distance(device.parameters, cpu.parameters),
    }
  }
  console.log(JSON.stringify({ result }))
} catch (error) {
  console.log(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }))
}
