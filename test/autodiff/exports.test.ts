/** One network as exporters of different years write it: the same answers, the same gradients. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { buildTrainingStep, prepareForTraining } from '../../runtime/autodiff/index.ts'
import {
  createNode,
  float as floatAttribute,
  floatsOf,
  floatTensor,
  type Graph,
  int,
  int64Tensor,
  ints,
  type Node,
  parametersOf,
  readGraph,
  type Tensor,
  writeGraph,
} from '../../runtime/onnx/index.ts'
import { addFunctions, call, type LocalFunction } from '../onnx/functions.ts'
import { type Feeds, float, floats, open, random, simplified, slotValues } from './engine.ts'

const test = suite('autodiff/exports')

const BATCH = 3
const CLASSES = 4
const next = random(11)
const drawn = (...dims: number[]) =>
  floatTensor(
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => (next() - 0.5) * 0.8),
  )
const parameters: Record<string, Tensor> = {
  'stem.weight': drawn(8, 3, 3, 3),
  'stem.bias': drawn(8),
  'norm.weight': drawn(8),
  'norm.bias': drawn(8),
  'mlp.weight': drawn(8, 16),
  'mlp.bias': drawn(16),
  'head.weight': drawn(CLASSES, 8),
  'head.bias': drawn(CLASSES),
}

const scalars = (values: Record<string, number>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, floatTensor([], [value])]))

const stem = createNode('Conv', ['x', 'stem.weight', 'stem.bias'], ['c'], { pads: ints([1, 1, 1, 1]) })
const mlp = [createNode('MatMul', ['n', 'mlp.weight'], ['mm']), createNode('Add', ['mm', 'mlp.bias'], ['m'])]
const head = createNode('Gemm', ['pooled', 'head.weight', 'head.bias'], ['y'], { transB: int(1) })

function network(
  opset: number,
  batch: string | number,
  nodes: Node[],
  constants: Record<string, Tensor>,
): Graph {
  return {
    name: 'net',
    inputs: [{ name: 'x', type: 'float32', dims: [batch, 3, 8, 8] }],
    outputs: [{ name: 'y', type: 'float32', dims: [batch, CLASSES] }],
    nodes,
    initializers: new Map(Object.entries({ ...parameters, ...constants })),
    valueInfo: new Map(),
    opsets: new Map([['', opset]]),
    irVersion: opset >= 21 ? 10 : opset >= 19 ? 9 : 8,
  }
}

/** Operator set 13, as tracing exporters write it: everything in small pieces, shapes computed on the way. */
function traced(batch: string | number): Graph {
  const axis = (value: number) => ({ axes: ints([value]) })
  return network(
    13,
    batch,
    [
      stem,
      createNode('Add', ['c', 'three'], ['c3']),
      createNode('Clip', ['c3', 'zero', 'six'], ['gate']),
      createNode('Div', ['gate', 'six'], ['share']),
      createNode('Mul', ['c', 'share'], ['h']),
      createNode('AveragePool', ['h'], ['p'], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }),
      createNode('Shape', ['p'], ['shape']),
      createNode('Gather', ['shape', 'first'], ['count'], { axis: int(0) }),
      createNode('Unsqueeze', ['count', 'axis0'], ['counts']),
      createNode('Concat', ['counts', 'rest'], ['form'], { axis: int(0) }),
      createNode('Reshape', ['p', 'form'], ['flat']),
      createNode('Transpose', ['flat'], ['t'], { perm: ints([0, 2, 1]) }),
      createNode('ReduceMean', ['t'], ['mean'], axis(-1)),
      createNode('Sub', ['t', 'mean'], ['centred']),
      createNode('Pow', ['centred', 'two'], ['squares']),
      createNode('ReduceMean', ['squares'], ['variance'], axis(-1)),
      createNode('Add', ['variance', 'epsilon'], ['padded']),
      createNode('Sqrt', ['padded'], ['deviation']),
      createNode('Div', ['centred', 'deviation'], ['normal']),
      createNode('Mul', ['normal', 'norm.weight'], ['scaled']),
      createNode('Add', ['scaled', 'norm.bias'], ['n']),
      ...mlp,
      createNode('Div', ['m', 'root'], ['narrow']),
      createNode('Erf', ['narrow'], ['erf']),
      createNode('Add', ['erf', 'one'], ['erf1']),
      createNode('Mul', ['m', 'erf1'], ['twice']),
      createNode('Mul', ['twice', 'half'], ['g']),
      createNode('Split', ['g', 'halves'], ['a', 'b'], { axis: int(-1) }),
      createNode('Mul', ['a', 'b'], ['ab']),
      createNode('ReduceMean', ['ab'], ['pooled'], { ...axis(1), keepdims: int(0) }),
      head,
    ],
    {
      ...scalars({ three: 3, zero: 0, six: 6, two: 2, epsilon: 1e-5, root: Math.SQRT2, one: 1, half: 0.5 }),
      first: { ...int64Tensor([0]), dims: [] },
      axis0: int64Tensor([0]),
      rest: int64Tensor([8, 16]),
      halves: int64Tensor([8, 8]),
    },
  )
}

/** Operator sets 18 and later, as exporters of whole programs write them: one operator a layer, axes as inputs. */
function whole(opset: number, batch: string | number, gelu: Node): Graph {
  const pool = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }
  return network(
    opset,
    batch,
    [
      stem,
      createNode('HardSwish', ['c'], ['h']),
      createNode('AveragePool', ['h'], ['p'], opset >= 19 ? { ...pool, dilations: ints([1, 1]) } : pool),
      createNode('Shape', ['p'], ['counts'], { start: int(0), end: int(1) }),
      createNode('Concat', ['counts', 'rest'], ['form'], { axis: int(0) }),
      createNode('Reshape', ['p', 'form'], ['flat'], { allowzero: int(1) }),
      createNode('Transpose', ['flat'], ['t'], { perm: ints([0, 2, 1]) }),
      createNode('LayerNormalization', ['t', 'norm.weight', 'norm.bias'], ['n'], {
        axis: int(-1),
        epsilon: floatAttribute(1e-5),
      }),
      ...mlp,
      gelu,
      createNode('Split', ['g'], ['a', 'b'], { axis: int(-1), num_outputs: int(2) }),
      createNode('Mul', ['a', 'b'], ['ab']),
      createNode('ReduceMean', ['ab', 'positions'], ['pooled'], {
        keepdims: int(0),
        noop_with_empty_axes: int(0),
      }),
      head,
    ],
    { rest: int64Tensor([8, 16]), positions: int64Tensor([1]) },
  )
}

/** Gelu as a function of the model, in place of the operator that set 20 brought. */
const ownGelu: LocalFunction = {
  name: 'gelu',
  inputs: ['v'],
  outputs: ['w'],
  nodes: [
    createNode('Constant', [], ['root'], { value_float: floatAttribute(Math.SQRT1_2) }),
    createNode('Constant', [], ['one'], { value_float: floatAttribute(1) }),
    createNode('Constant', [], ['half'], { value_float: floatAttribute(0.5) }),
    createNode('Mul', ['v', 'root'], ['narrow']),
    createNode('Erf', ['narrow'], ['erf']),
    createNode('Add', ['erf', 'one'], ['erf1']),
    createNode('Mul', ['v', 'erf1'], ['twice']),
    createNode('Mul', ['twice', 'half'], ['w']),
  ],
}
const standardGelu = createNode('Gelu', ['m'], ['g'])
const withOwnGelu = (opset: number, batch: string | number) =>
  addFunctions(writeGraph(whole(opset, batch, call('gelu', ['m'], ['g']))), [{ ...ownGelu, opset }])

const exports: Record<string, Uint8Array> = {
  'traced, set 13': writeGraph(traced('batch')),
  'traced, set 13, fixed batch': writeGraph(traced(BATCH)),
  'whole, set 18, functions of its own': withOwnGelu(18, 's0'),
  'whole, set 19, functions of its own': withOwnGelu(19, 's0'),
  'whole, set 20': writeGraph(whole(20, 's0', standardGelu)),
  'whole, set 20, fixed batch': writeGraph(whole(20, BATCH, standardGelu)),
  'whole, set 21': writeGraph(whole(21, 's0', standardGelu)),
}

const images = Float32Array.from({ length: BATCH * 3 * 64 }, () => next() * 2 - 1)
const targets = Float32Array.from({ length: BATCH * CLASSES }, (_, at) =>
  at % CLASSES === Math.floor(at / CLASSES) ? 1 : 0,
)

async function answer(model: Uint8Array): Promise<Float32Array> {
  const session = await open(model)
  return floats((await session.run({ x: float([BATCH, 3, 8, 8], images) })).y)
}

/** What a step with a learning rate of 1 takes off each parameter: its gradient. */
async function gradients(model: Uint8Array): Promise<Map<string, Float32Array>> {
  const graph = readGraph(model)
  const prepared = prepareForTraining(graph, { inputShape: [BATCH, 3, 8, 8], trainable: () => true })
  const step = buildTrainingStep(await simplified(prepared), { optimizer: { kind: 'sgd' } })
  const before = slotValues(step, name => floatsOf(parameters[name] ?? floatTensor([0], [])))
  const session = await open(step.model)
  const feeds: Feeds = {
    [step.inputs.images]: float([BATCH, 3, 8, 8], images),
    [step.inputs.targets]: float([BATCH, CLASSES], targets),
    [step.inputs.weights]: float([BATCH], Array(BATCH).fill(1)),
    [step.inputs.learningRate]: float([], [1]),
    [step.inputs.step]: float([], [1]),
  }
  for (const [index, slot] of step.slots.entries()) {
    feeds[slot.input] = float(slot.dims, before[index] ?? [])
    for (const { input, dims } of slot.state)
      feeds[input] = float(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)))
  }
  const made = await session.run(feeds)
  return new Map(
    step.parameters.map(({ name, dims, slot, offset }) => {
      const after = floats(made[step.slots[slot]?.output ?? ''])
      const length = dims.reduce((a, b) => a * b, 1)
      const gradient = Float32Array.from(
        { length },
        (_, at) => (before[slot]?.[offset + at] ?? NaN) - (after[offset + at] ?? NaN),
      )
      return [name, gradient]
    }),
  )
}

const [first = '', ...others] = Object.keys(exports)
const bytesOf = (name: string) => exports[name] ?? new Uint8Array()
const expected = await gradients(bytesOf(first))
const answered = await answer(bytesOf(first))

test(`${first}: every parameter learns`, () => {
  assert.equal([...expected.keys()].sort(), Object.keys(parameters).sort())
  for (const [name, gradient] of expected) {
    assert.ok(
      gradient.some(value => Math.abs(value) > 1e-4),
      name,
    )
  }
})

for (const name of others) {
  test(`${name}: the parameters, the answers and the gradients are those of ${first}`, async () => {
    assert.equal(
      parametersOf(readGraph(bytesOf(name))).map(parameter => parameter.name),
      parametersOf(readGraph(bytesOf(first))).map(parameter => parameter.name),
    )
    near(await answer(bytesOf(name)), answered, 'answers')
    const found = await gradients(bytesOf(name))
    for (const [parameter, gradient] of expected)
      near(found.get(parameter) ?? new Float32Array(), gradient, parameter)
  })
}

/** Within 1e-5 of the largest; gradients are read off a step, whose subtraction rounds to some 1e-7 of a weight. */
function near(found: Float32Array, right: Float32Array, what: string): void {
  assert.is(found.length, right.length, what)
  const largest = right.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  for (const [at, value] of right.entries()) {
    const difference = Math.abs(value - (found[at] ?? NaN))
    assert.ok(difference <= 1e-5 * largest + 2e-7, `${what}[${at}]: ${found[at]}, expected ${value}`)
  }
}

test.run()
