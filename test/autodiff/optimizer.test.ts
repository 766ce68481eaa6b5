import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createEmitter, type Value } from '../../runtime/autodiff/emitter.ts'
import { createOperators } from '../../runtime/autodiff/operators/index.ts'
import { applyOptimizer, type Optimizer, stateNames } from '../../runtime/autodiff/optimizer.ts'
import type { Graph } from '../../runtime/onnx/index.ts'
import { type Feeds, float, floats, open, random } from './engine.ts'

const test = suite('autodiff/optimizer')

const SIZE = 6
const RATE = 0.05

function updateGraph(optimizer: Optimizer, decay: boolean): { graph: Graph; outputs: string[] } {
  const inputs: Value[] = ['p', 'g', ...stateNames(optimizer)].map(name => ({
    name,
    dims: [SIZE],
    type: 'float32',
  }))
  const scalars: Value[] = ['rate', 'step'].map(name => ({ name, dims: [], type: 'float32' }))
  const graph: Graph = {
    name: 'update',
    inputs: [...inputs, ...scalars].map(({ name, dims }) => ({ name, type: 'float32', dims: [...dims] })),
    outputs: [],
    nodes: [],
    initializers: new Map(),
    valueInfo: new Map(),
    opsets: new Map([['', 18]]),
    irVersion: 8,
  }
  const [parameter, gradient, ...state] = inputs
  const [learningRate, step] = scalars
  assert.ok(parameter && gradient && learningRate && step)
  const ops = createOperators(createEmitter(graph))
  const update = applyOptimizer(ops, optimizer, { parameter, gradient, state, learningRate, step, decay })
  const values = [update.parameter, ...update.state]
  graph.outputs = values.map(({ name }) => ({ name, type: undefined, dims: undefined }))
  return { graph, outputs: values.map(({ name }) => name) }
}

/** PyTorch's documentation, in float64, one element at a time. */
function reference(optimizer: Optimizer, decay: boolean, p: number, gradients: readonly number[]): number {
  let [m, v] = [0, 0]
  const weightDecay = decay ? (optimizer.weightDecay ?? 0) : 0
  for (const [index, raw] of gradients.entries()) {
    if (optimizer.kind === 'sgd') {
      const { momentum = 0.9, nesterov = false } = optimizer
      const g = raw + weightDecay * p
      m = index === 0 ? g : momentum * m + g
      p -= RATE * (nesterov ? g + momentum * m : m)
      continue
    }
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decoupledDecay = false } = optimizer
    if (decoupledDecay) p -= RATE * weightDecay * p
    const g = decoupledDecay ? raw : raw + weightDecay * p
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    p -= (RATE * (m / (1 - beta1 ** (index + 1)))) / (Math.sqrt(v / (1 - beta2 ** (index + 1))) + epsilon)
  }
  return p
}

const optimizers: Record<string, Optimizer> = {
  'plain gradient descent': { kind: 'sgd', momentum: 0 },
  'momentum by default': { kind: 'sgd' },
  'momentum with weight decay': { kind: 'sgd', momentum: 0.8, weightDecay: 0.1 },
  'Nesterov momentum': { kind: 'sgd', nesterov: true, weightDecay: 0.05 },
  Adam: { kind: 'adam' },
  'Adam with other constants and weight decay': {
    kind: 'adam',
    beta1: 0.8,
    beta2: 0.95,
    epsilon: 1e-3,
    weightDecay: 0.1,
  },
  AdamW: { kind: 'adam', weightDecay: 0.1, decoupledDecay: true },
}

for (const [name, optimizer] of Object.entries(optimizers)) {
  for (const decay of [true, false]) {
    test(`ten steps of ${name}${decay ? '' : ' on a tensor that does not decay'} agree with PyTorch's formula in float64`, async () => {
      const next = random(3)
      const { graph, outputs } = updateGraph(optimizer, decay)
      const session = await open(graph)
      const start = Float32Array.from({ length: SIZE }, () => next() * 2 - 1)
      const gradients = Array.from({ length: 10 }, () =>
        Float32Array.from({ length: SIZE }, () => next() * 2 - 1),
      )
      let values = [
        float([SIZE], start),
        ...stateNames(optimizer).map(() => float([SIZE], new Float32Array(SIZE))),
      ]
      for (const [index, gradient] of gradients.entries()) {
        const names = ['p', ...stateNames(optimizer)]
        const feeds: Feeds = Object.fromEntries(
          names.map((input, at) => [input, values[at] ?? float([], [])]),
        )
        const made = await session.run({
          ...feeds,
          g: float([SIZE], gradient),
          rate: float([], [RATE]),
          step: float([], [index + 1]),
        })
        values = outputs.map(output => float([SIZE], floats(made[output])))
      }
      const [made] = values
      for (const [index, value] of floats(made).entries()) {
        const expected = reference(
          optimizer,
          decay,
          start[index] ?? 0,
          gradients.map(gradient => gradient[index] ?? 0),
        )
        assert.ok(Math.abs(value - expected) < 5e-6, `element ${index}: ${value}, expected ${expected}`)
      }
      await session.release()
    })
  }
}

/** Adam and Momentum of ai.onnx.preview.training, version 1, in float64, as their pages in Operators.md write them. */
const specification: Record<
  string,
  (x: number, g: number, state: number[], t: number, decay: number) => number
> = {
  Momentum: (x, g, state, _, decay) => {
    const regularized = decay * x + g
    const velocity = 0.9 * (state[0] ?? 0) + regularized // the attribute beta is 1
    state[0] = velocity
    return x - RATE * velocity
  },
  'Momentum, nesterov': (x, g, state, _, decay) => {
    const regularized = decay * x + g
    const velocity = 0.9 * (state[0] ?? 0) + regularized
    state[0] = velocity
    return x - RATE * (regularized + 0.9 * velocity)
  },
  Adam: (x, g, state, t, decay) => {
    const regularized = decay * x + g
    const [v = 0, h = 0] = state
    state[0] = 0.9 * v + (1 - 0.9) * regularized
    state[1] = 0.999 * h + (1 - 0.999) * regularized * regularized
    const root = Math.sqrt(state[1]) + 1e-3
    const adjusted = t > 0 ? (RATE * Math.sqrt(1 - 0.999 ** t)) / (1 - 0.9 ** t) : RATE
    return x - (adjusted * state[0]) / root
  },
}

const agreeing: [string, Optimizer][] = [
  ['Momentum', { kind: 'sgd', weightDecay: 0.1 }],
  ['Momentum, nesterov', { kind: 'sgd', nesterov: true, weightDecay: 0.1 }],
  ['Adam', { kind: 'adam', epsilon: 1e-3, epsilonUncorrected: true, weightDecay: 0.1 }],
]

for (const [name, optimizer] of agreeing) {
  test(`ten steps agree with the formulas of the ONNX operator ${name} in float64`, async () => {
    const next = random(11)
    const { graph, outputs } = updateGraph(optimizer, true)
    const session = await open(graph)
    const names = ['p', ...stateNames(optimizer)]
    let values = names.map((_, at) =>
      float(
        [SIZE],
        Array.from({ length: SIZE }, () => (at === 0 ? next() : 0)),
      ),
    )
    const expected = [...floats(values[0])]
    const states = expected.map(() => [0, 0])
    for (let t = 1; t <= 10; t++) {
      const gradient = Float32Array.from({ length: SIZE }, () => next() * 2 - 1)
      const feeds: Feeds = Object.fromEntries(names.map((input, at) => [input, values[at] ?? float([], [])]))
      const scalars = { rate: float([], [RATE]), step: float([], [t]) }
      const made = await session.run({ ...feeds, ...scalars, g: float([SIZE], gradient) })
      values = outputs.map(output => float([SIZE], floats(made[output])))
      for (const [index, x] of expected.entries()) {
        expected[index] = specification[name]?.(x, gradient[index] ?? 0, states[index] ?? [], t, 0.1) ?? NaN
      }
    }
    for (const [index, value] of floats(values[0]).entries())
      assert.ok(
        Math.abs(value - (expected[index] ?? NaN)) < 5e-6,
        `${index}: ${value}, expected ${expected[index]}`,
      )
    await session.release()
  })
}

test.run()
