import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createEmitter } from '../../runtime/autodiff/emitter.ts'
import { foldNormalization } from '../../runtime/autodiff/fold-normalization.ts'
import { createOperators } from '../../runtime/autodiff/operators/index.ts'
import { poolBeforeRelu } from '../../runtime/autodiff/pool-before-relu.ts'
import { recognizeHardSwish } from '../../runtime/autodiff/recognize-hard-swish.ts'
import { valuesOf } from '../../runtime/autodiff/values.ts'
import {
  copyGraph,
  createNode,
  float,
  floatTensor,
  type Graph,
  ints,
  type Node,
  type Tensor,
} from '../../runtime/onnx/index.ts'
import { floats, open, random, shaped, float as tensor } from './engine.ts'

const test = suite('autodiff rewrites')

function graphOf(nodes: Node[], constants: Record<string, Tensor>): Graph {
  return {
    name: 'forward',
    inputs: [{ name: 'x', type: 'float32', dims: [2, 3, 4, 4] }],
    outputs: [{ name: 'y', type: 'float32', dims: undefined }],
    nodes,
    initializers: new Map(Object.entries(constants)),
    valueInfo: new Map(),
    opsets: new Map([['', 18]]),
    irVersion: 8,
  }
}

async function run(graph: Graph): Promise<Float32Array> {
  const next = random(1)
  const x = tensor(
    [2, 3, 4, 4],
    Array.from({ length: 96 }, () => next() * 10 - 5),
  )
  return floats((await (await open(graph)).run({ x })).y)
}

async function assertSame(before: Graph, after: Graph): Promise<void> {
  const [old, fresh] = [await run(before), await run(after)]
  for (const [index, value] of old.entries())
    assert.ok(Math.abs(value - (fresh[index] ?? NaN)) < 1e-5, `${index}`)
}

const scalars = { three: floatTensor([1], [3]), six: floatTensor([], [6]), zero: floatTensor([], [0]) }
const spelled = (low: string) => [
  createNode('Add', ['x', 'three'], ['a']),
  createNode('Clip', ['a', low, 'six'], ['c']),
  createNode('Mul', ['x', 'c'], ['m']),
  createNode('Div', ['m', 'six'], ['y']),
]

test('HardSwish that is spelled out becomes one operator that computes the same', async () => {
  const before = graphOf(spelled('zero'), scalars)
  const after = copyGraph(before)
  recognizeHardSwish(after)
  assert.is(after.nodes.at(-1)?.opType, 'HardSwish')
  await assertSame(before, after)
})

test('what only looks like HardSwish is left alone', () => {
  const graph = graphOf(spelled('three'), scalars)
  recognizeHardSwish(graph)
  assert.is(graph.nodes.at(-1)?.opType, 'Div')
})

const pooled = [
  createNode('Relu', ['x'], ['r']),
  createNode('MaxPool', ['r'], ['p'], {
    kernel_shape: ints([3, 3]),
    strides: ints([2, 2]),
    pads: ints([1, 1, 1, 1]),
  }),
  createNode('Neg', ['p'], ['y']),
]

test('a pool goes before the Relu that only it uses', async () => {
  const before = await shaped(graphOf(pooled, {}))
  const after = copyGraph(before)
  poolBeforeRelu(after)
  assert.equal(
    after.nodes.map(({ opType }) => opType),
    ['MaxPool', 'Relu', 'Neg'],
  )
  await assertSame(before, after)
})

test('a Relu whose map something else uses stays before the pool', async () => {
  const graph = await shaped(
    graphOf(
      [...pooled.slice(0, 2), createNode('ReduceSum', ['r'], ['s']), createNode('Add', ['p', 's'], ['y'])],
      {},
    ),
  )
  poolBeforeRelu(graph)
  assert.is(graph.nodes[0]?.opType, 'Relu')
})

for (const bias of [true, false]) {
  test(`batch normalization after a convolution ${bias ? 'with' : 'without'} bias folds into its weights`, async () => {
    const next = random(5)
    const made = (dims: number[]) =>
      floatTensor(
        dims,
        Array.from({ length: dims.reduce((a, b) => a * b) }, () => next() + 0.5),
      )
    const before = await shaped(
      graphOf(
        [
          createNode('Conv', ['x', 'w', ...(bias ? ['b'] : [])], ['h']),
          createNode('BatchNormalization', ['h', 's', 't', 'mean', 'var'], ['y'], { epsilon: float(0.01) }),
        ],
        { w: made([2, 3, 3, 3]), b: made([2]), s: made([2]), t: made([2]), mean: made([2]), var: made([2]) },
      ),
    )
    const after = copyGraph(before)
    foldNormalization(after, createOperators(createEmitter(after)), valuesOf(after))
    assert.not.ok(after.nodes.some(({ opType }) => opType === 'BatchNormalization'))
    await assertSame(before, after)
  })
}

test('a convolution whose output something else uses keeps its normalization', async () => {
  const graph = await shaped(
    graphOf(
      [
        createNode('Conv', ['x', 'w'], ['h']),
        createNode('BatchNormalization', ['h', 's', 's', 's', 's'], ['n']),
        createNode('Add', ['h', 'n'], ['y']),
      ],
      { w: floatTensor([2, 3, 1, 1], [1, 2, 3, 4, 5, 6]), s: floatTensor([2], [1, 1]) },
    ),
  )
  foldNormalization(graph, createOperators(createEmitter(graph)), valuesOf(graph))
  assert.ok(graph.nodes.some(({ opType }) => opType === 'BatchNormalization'))
})

test.run()
