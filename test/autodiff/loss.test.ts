import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { buildTrainingStep, type Loss, prepareForTraining } from '../../runtime/autodiff/index.ts'
import { createNode, floatTensor, type Graph, type Node } from '../../runtime/onnx/index.ts'
import { float, floats, open, shaped } from './engine.ts'

const test = suite('autodiff/loss')

const N = 3
const K = 2
const start = [0.5, -1, 0.25, 2, -0.75, 1]
const x = [1, -2, 0.5, 3, 0, 1, -1, 1, 2]
const targets = [1, 0, 0.25, 0.75, 1, 1]
const weights = [1, 2, 0]

/** x [N, 3] -> MatMul w [3, K] -> the nodes, from h to y. */
function graphOf(nodes: Node[]): Graph {
  return {
    name: 'small',
    inputs: [{ name: 'x', type: 'float32', dims: ['N', 3] }],
    outputs: [{ name: 'y', type: 'float32', dims: undefined }],
    nodes: [createNode('MatMul', ['x', 'w'], ['h']), ...nodes],
    initializers: new Map([['w', floatTensor([3, K], start)]]),
    valueInfo: new Map(),
    opsets: new Map([['', 18]]),
    irVersion: 8,
  }
}

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z))

/** The loss of one sample from its row of scores, in float64, by the textbook. */
const textbook: Record<string, (z: number[], t: number[]) => number> = {
  'softmax-cross-entropy': (z, t) => {
    const sum = z.reduce((total, each) => total + Math.exp(each), 0)
    return -z.reduce((total, each, k) => total + (t[k] ?? 0) * Math.log(Math.exp(each) / sum), 0)
  },
  'binary-cross-entropy': (z, t) =>
    -z.reduce((total, each, k) => {
      const [p, truth] = [sigmoid(each), t[k] ?? 0]
      return total + truth * Math.log(p) + (1 - truth) * Math.log(1 - p)
    }, 0) / z.length,
  'mean-squared-error': (z, t) =>
    z.reduce((total, each, k) => total + (each - (t[k] ?? 0)) ** 2, 0) / z.length,
}

function lossAt(loss: string, w: readonly number[], after: (z: number) => number): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.reduce((sum, weight, n) => {
    const z = [0, 1].map(k =>
      after([0, 1, 2].reduce((dot, i) => dot + (x[n * 3 + i] ?? 0) * (w[i * K + k] ?? 0), 0)),
    )
    return sum + (weight / total) * (textbook[loss]?.(z, targets.slice(n * K, n * K + K)) ?? NaN)
  }, 0)
}

const cases: [string, Loss, Node[], ((z: number) => number)?][] = [
  ['softmax cross-entropy on a softmax', 'softmax-cross-entropy', [createNode('Softmax', ['h'], ['y'])]],
  ['binary cross-entropy on a sigmoid', 'binary-cross-entropy', [createNode('Sigmoid', ['h'], ['y'])]],
  ['binary cross-entropy on scores', 'binary-cross-entropy', [createNode('Identity', ['h'], ['y'])]],
  ['mean squared error on numbers', 'mean-squared-error', [createNode('Identity', ['h'], ['y'])]],
  [
    'mean squared error through a sigmoid',
    'mean-squared-error',
    [createNode('Sigmoid', ['h'], ['y'])],
    sigmoid,
  ],
]

for (const [name, loss, nodes, after = (z: number) => z] of cases) {
  test(`${name}: the loss is the textbook's, and the step its finite difference`, async () => {
    const prepared = prepareForTraining(graphOf(nodes), { inputShape: [N, 3], trainable: () => true })
    const graph = await shaped(prepared.graph)
    const step = buildTrainingStep({ ...prepared, graph }, { optimizer: { kind: 'sgd', momentum: 0 }, loss })
    assert.is(step.classes, K)
    const session = await open(step.model)
    const [slot] = step.slots
    assert.ok(slot)
    const made = await session.run({
      [step.inputs.images]: float([N, 3], x),
      [step.inputs.targets]: float([N, K], targets),
      [step.inputs.weights]: float([N], weights),
      [step.inputs.learningRate]: float([], [1]),
      [step.inputs.step]: float([], [1]),
      [slot.input]: float(slot.dims, start),
    })
    await session.release()
    const expected = lossAt(loss, start, after)
    assert.ok(Math.abs((floats(made[step.outputs.loss])[0] ?? NaN) - expected) < 1e-6 * (1 + expected))
    for (const [index, value] of floats(made[slot.output]).entries()) {
      const moved = (by: number) => lossAt(loss, start.with(index, (start[index] ?? 0) + by), after)
      const slope = (moved(1e-5) - moved(-1e-5)) / 2e-5
      assert.ok(
        Math.abs((start[index] ?? 0) - value - slope) < 1e-5,
        `element ${index}: ${value}, slope ${slope}`,
      )
    }
  })
}

test('binary cross-entropy stays finite at scores that saturate the sigmoid', async () => {
  const prepared = prepareForTraining(graphOf([createNode('Sigmoid', ['h'], ['y'])]), {
    inputShape: [1, 3],
    trainable: () => true,
  })
  const graph = await shaped(prepared.graph)
  const optimizer = { kind: 'sgd', momentum: 0 } as const
  const step = buildTrainingStep({ ...prepared, graph }, { optimizer, loss: 'binary-cross-entropy' })
  const session = await open(step.model)
  const made = await session.run({
    [step.inputs.images]: float([1, 3], [400, 0, 0]),
    [step.inputs.targets]: float([1, K], [0, 1]),
    [step.inputs.weights]: float([1], [1]),
    [step.inputs.learningRate]: float([], [1]),
    [step.inputs.step]: float([], [1]),
    [step.slots[0]?.input ?? '']: float([3, K], start),
  })
  assert.is(floats(made[step.outputs.loss])[0], 300) // (200 + 400) / 2
})

for (const [opType, loss] of [
  ['Sigmoid', 'softmax-cross-entropy'],
  ['Softmax', 'binary-cross-entropy'],
] as const) {
  test(`a ${opType} under ${loss} is refused, and the loss that fits named`, async () => {
    const prepared = prepareForTraining(graphOf([createNode(opType, ['h'], ['y'])]), {
      inputShape: [N, 3],
      trainable: () => true,
    })
    const graph = await shaped(prepared.graph)
    assert.throws(
      () => buildTrainingStep({ ...prepared, graph }, { optimizer: { kind: 'sgd' }, loss }),
      (error: Error) => /cross-entropy goes with it/.test(error.message),
    )
  })
}

test.run()
