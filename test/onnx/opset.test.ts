import * as ort from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  copyGraph,
  createNode,
  float,
  floatTensor,
  type Graph,
  int,
  int64Tensor,
  ints,
  liftOpset,
  type Node,
  text,
  writeGraph,
} from '../../runtime/onnx/index.ts'

const test = suite('onnx/opset')

function graphOf(nodes: Node | Node[], version: number, outputs = ['y']): Graph {
  return {
    name: 'old',
    inputs: [{ name: 'x', type: 'float32', dims: [2, 3, 4] }],
    outputs: outputs.map(name => ({ name, type: 'float32', dims: undefined })),
    nodes: [nodes].flat(),
    initializers: new Map([
      ['s', floatTensor([3], [1, 2, 0.5])],
      ['scales', floatTensor([4], [1, 1, 2, 1.5])],
      ['pads', int64Tensor([0, 1, 2, 0, 0, 1])],
      ['sizes', int64Tensor([1, 2])],
      ['half', floatTensor([], [0.5])],
      ['row', floatTensor([4], [1, 2, 3, 4])],
    ]),
    valueInfo: new Map(),
    opsets: new Map([['', version]]),
    irVersion: 7,
  }
}

async function run(graph: Graph): Promise<ort.InferenceSession.OnnxValueMapType> {
  const session = await ort.InferenceSession.create(writeGraph(graph), { logSeverityLevel: 3 })
  const data = Float32Array.from({ length: 24 }, (_, index) => Math.sin(index * 3))
  return session.run({ x: new ort.Tensor('float32', data, [2, 3, 4]) })
}

/** What it is, its nodes, the operator set, the outputs to compare. */
type Case = [string, Node | Node[], number, string[]?]

const cases: Case[] = [
  [
    'Clip with bounds as attributes',
    createNode('Clip', ['x'], ['y'], { min: float(-0.5), max: float(0.25) }),
    9,
  ],
  ['Clip with one bound', createNode('Clip', ['x'], ['y'], { max: float(0.25) }), 9],
  [
    'Slice with ranges as attributes',
    createNode('Slice', ['x'], ['y'], {
      starts: ints([1, -2]),
      ends: ints([3, 2 ** 62]),
      axes: ints([1, 2]),
    }),
    9,
  ],
  ['Slice without axes', createNode('Slice', ['x'], ['y'], { starts: ints([0, 1]), ends: ints([1, 3]) }), 9],
  [
    'Pad with a value',
    createNode('Pad', ['x'], ['y'], {
      pads: ints([0, 1, 0, 0, 0, 2]),
      value: float(3),
      mode: text('constant'),
    }),
    9,
  ],
  ['Unsqueeze', createNode('Unsqueeze', ['x'], ['y'], { axes: ints([1]) }), 11],
  ['ReduceSum', createNode('ReduceSum', ['x'], ['y'], { axes: ints([1]), keepdims: int(0) }), 11],
  ['ReduceMean of set 13', createNode('ReduceMean', ['x'], ['y'], { axes: ints([0, 2]) }), 13],
  ['Softmax over several axes', createNode('Softmax', ['x'], ['y']), 9],
  ['Softmax over the last axis', createNode('Softmax', ['x'], ['y'], { axis: int(2) }), 11],
  [
    'Split with sizes',
    createNode('Split', ['x'], ['y', 'z'], { axis: int(1), split: ints([1, 2]) }),
    11,
    ['y', 'z'],
  ],
  ['Split in equal parts', createNode('Split', ['x'], ['y', 'z'], { axis: int(2) }), 13, ['y', 'z']],
  [
    'Squeeze of what was unsqueezed',
    [
      createNode('Unsqueeze', ['x'], ['u'], { axes: ints([0, 2]) }),
      createNode('Squeeze', ['u'], ['y'], { axes: ints([0, 2]) }),
    ],
    11,
  ],
  ['Squeeze without axes', createNode('Squeeze', ['x'], ['y']), 9],
  ['LogSoftmax over several axes', createNode('LogSoftmax', ['x'], ['y'], { axis: int(1) }), 11],
  ['LogSoftmax over the last axis', createNode('LogSoftmax', ['x'], ['y'], { axis: int(-1) }), 11],
  ['TopK', createNode('TopK', ['x'], ['y', 'i'], { k: int(2) }), 9],
  [
    'BatchNormalization of set 9',
    createNode('BatchNormalization', ['x', 's', 's', 's', 's'], ['y'], {
      epsilon: float(0.25),
      momentum: float(0.5),
    }),
    9,
  ],
  [
    'Upsample to the nearest pixel',
    [
      createNode('Unsqueeze', ['x'], ['u'], { axes: ints([0]) }),
      createNode('Upsample', ['u', 'scales'], ['y']),
    ],
    9,
  ],
  [
    'Upsample between pixels',
    [
      createNode('Unsqueeze', ['x'], ['u'], { axes: ints([0]) }),
      createNode('Upsample', ['u', 'scales'], ['y'], { mode: text('linear') }),
    ],
    9,
  ],
  [
    'Resize of set 10',
    [
      createNode('Unsqueeze', ['x'], ['u'], { axes: ints([0]) }),
      createNode('Resize', ['u', 'scales'], ['y']),
    ],
    10,
  ],
  ...['Max', 'Min', 'Mean', 'Prod', 'L1', 'L2', 'LogSumExp', 'SumSquare'].flatMap((kind): Case[] => [
    [
      `Reduce${kind} over an axis`,
      createNode(`Reduce${kind}`, ['x'], ['y'], { axes: ints([-1]), keepdims: int(0) }),
      13,
    ],
    [`Reduce${kind} over all axes`, createNode(`Reduce${kind}`, ['x'], ['y']), 17],
  ]),
  ['Pad of set 13', createNode('Pad', ['x', 'pads'], ['y'], { mode: text('reflect') }), 13],
  [
    'Split with sizes as an input',
    createNode('Split', ['x', 'sizes'], ['y', 'z'], { axis: int(1) }),
    13,
    ['y', 'z'],
  ],
  ['Clip with bounds as inputs', createNode('Clip', ['x', '', 'half'], ['y']), 13],
  ['LayerNormalization', createNode('LayerNormalization', ['x', 'row'], ['y']), 17],
  ['Dropout with a ratio', createNode('Dropout', ['x'], ['y'], { ratio: float(0.5) }), 9],
]

for (const [name, nodes, version, outputs] of cases) {
  test(`${name}, lifted from operator set ${version} to 18, computes the same`, async () => {
    const old = graphOf(nodes, version, outputs)
    const lifted = copyGraph(old)
    liftOpset(lifted)
    assert.is(lifted.opsets.get(''), 18)
    assert.equal(await run(lifted), await run(old))
  })
}

for (const version of [18, 19, 20]) {
  test(`operator set ${version} is left as it is`, () => {
    const graph = graphOf(createNode('ReduceMax', ['x', 'sizes'], ['y']), version)
    const before = copyGraph(graph)
    liftOpset(graph)
    assert.equal(graph, before)
  })
}

test('a newer operator set is left as it is', () => {
  const graph = graphOf(createNode('Relu', ['x'], ['y']), 21)
  liftOpset(graph)
  assert.is(graph.opsets.get(''), 21)
})

test('an operator set from before broadcasting is refused', () => {
  const graph = graphOf(createNode('Relu', ['x'], ['y']), 6)
  assert.throws(
    () => liftOpset(graph),
    (error: { code?: string }) => error.code === 'not-trainable',
  )
})

test('a value that the exporter named as ours would be does not collide', () => {
  const graph = graphOf(createNode('Clip', ['x'], ['y'], { min: float(0) }), 9)
  graph.initializers.set('y/min', floatTensor([], [7]))
  liftOpset(graph)
  const [, low = ''] = graph.nodes[0]?.inputs ?? []
  assert.is.not(low, 'y/min')
  assert.equal(graph.initializers.get(low)?.data, Float32Array.of(0))
})

test.run()
