/** Convolutions in the engine's blocks give what they give in standard operators. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { useBlockedLayout } from '../../runtime/autodiff/index.ts'
import { type Attribute, createNode, type Graph, int, ints, type Node } from '../../runtime/onnx/index.ts'
import { findChannelBlock } from '../../runtime/training/channel-block.ts'
import { float, floats, open, random, shaped } from './engine.ts'

const test = suite('autodiff/blocked layout')
const block = await findChannelBlock()
if (block === undefined) console.log('skipped: this processor has no convolutions in blocks')

const pads = (...values: number[]): Record<string, Attribute> => ({ pads: ints(values) })
const conv = (attributes: Record<string, Attribute>) => createNode('Conv', ['x', 'w'], ['y'], attributes)
const transposed = (attributes: Record<string, Attribute>) =>
  createNode('ConvTranspose', ['x', 'w'], ['y'], attributes)
const strides = (...values: number[]) => ({ strides: ints(values) })

interface Case {
  shapes: Record<string, number[]>
  nodes: Node[]
  /** What the rewritten graph computes in blocks, and how often it reorders. */
  blocked: { convolutions: number; in?: number; out?: number }
}

const wide = { x: [2, 32, 9, 8], w: [48, 32, 3, 3] }

const cases: Record<string, Case> = {
  'a dense convolution': { shapes: wide, nodes: [conv(pads(1, 1, 1, 1))], blocked: { convolutions: 1 } },
  'strides, uneven padding': {
    shapes: wide,
    nodes: [conv({ ...strides(2, 1), ...pads(0, 1, 2, 1) })],
    blocked: { convolutions: 1 },
  },
  'a bias': {
    shapes: { ...wide, b: [48] },
    nodes: [createNode('Conv', ['x', 'w', 'b'], ['y'], pads(1, 1, 1, 1))],
    blocked: { convolutions: 1 },
  },
  'channels that are no whole blocks stay': {
    shapes: { x: [2, 20, 5, 5], w: [32, 20, 3, 3] },
    nodes: [conv({})],
    blocked: { convolutions: 0 },
  },
  'a single image stays: most likely a gradient by a weight': {
    shapes: { x: [1, 32, 9, 8], w: [48, 32, 3, 3] },
    nodes: [conv({})],
    blocked: { convolutions: 0 },
  },
  depthwise: {
    shapes: { x: [2, 32, 9, 8], w: [32, 1, 3, 3] },
    nodes: [conv({ group: int(32), ...pads(1, 1, 1, 1) })],
    blocked: { convolutions: 1 },
  },
  'depthwise, channels that fill no block, a bias': {
    shapes: { x: [2, 22, 9, 8], w: [22, 1, 5, 3], b: [22] },
    nodes: [
      createNode('Conv', ['x', 'w', 'b'], ['y'], { group: int(22), ...pads(2, 1, 2, 1), ...strides(1, 2) }),
    ],
    blocked: { convolutions: 1 },
  },
  'what maps element by element stays in blocks': {
    shapes: { ...wide, w2: [32, 48, 3, 3], half: [] },
    nodes: [
      createNode('Conv', ['x', 'w'], ['a'], pads(1, 1, 1, 1)),
      createNode('Relu', ['a'], ['r']),
      createNode('Mul', ['r', 'half'], ['h']),
      createNode('Sigmoid', ['h'], ['s']),
      createNode('Mul', ['h', 's'], ['g']),
      createNode('Conv', ['g', 'w2'], ['b'], pads(1, 1, 1, 1)),
      createNode('Add', ['b', 'x'], ['y']),
    ],
    // Of weights two each, of x one; the result once.
    blocked: { convolutions: 2, in: 5, out: 1 },
  },
  'what is repeated over a map takes it in plain order': {
    shapes: { ...wide, scale: [1, 48, 1, 1] },
    nodes: [createNode('Conv', ['x', 'w'], ['a']), createNode('Mul', ['a', 'scale'], ['y'])],
    blocked: { convolutions: 1, out: 1 },
  },
  'channels last in one reordering, and in plain order as well': {
    shapes: { ...wide, w2: [8, 48, 1, 1] },
    nodes: [
      createNode('Conv', ['x', 'w'], ['a']),
      createNode('Transpose', ['a'], ['t'], { perm: ints([0, 2, 3, 1]) }),
      createNode('Transpose', ['t'], ['u'], { perm: ints([0, 3, 1, 2]) }),
      createNode('Conv', ['a', 'w2'], ['c']),
      createNode('Concat', ['u', 'c'], ['y'], { axis: int(1) }),
    ],
    blocked: { convolutions: 1, out: 2 },
  },
  'a transposed convolution, by phases': {
    shapes: { x: [2, 32, 5, 4], w: [32, 16, 3, 3] },
    nodes: [transposed({ ...strides(2, 2), ...pads(1, 1, 1, 1), output_padding: ints([1, 1]) })],
    blocked: { convolutions: 4 },
  },
  'a transposed convolution, odd sizes and other strides': {
    shapes: { x: [2, 16, 5, 4], w: [16, 32, 5, 4] },
    nodes: [transposed({ ...strides(2, 3), ...pads(2, 1, 2, 1) })],
    blocked: { convolutions: 6 },
  },
  'a transposed convolution with outputs that no tap meets stays': {
    shapes: { x: [2, 16, 5, 4], w: [16, 32, 1, 1] },
    nodes: [transposed({ ...strides(2, 2), output_padding: ints([1, 1]) })],
    blocked: { convolutions: 0 },
  },
  'a depthwise transposed convolution': {
    shapes: { x: [2, 18, 5, 4], w: [18, 1, 5, 3] },
    nodes: [
      transposed({ ...strides(2, 2), ...pads(2, 1, 2, 1), group: int(18), output_padding: ints([1, 0]) }),
    ],
    blocked: { convolutions: 1 },
  },
}

for (const [name, { shapes, nodes, blocked }] of Object.entries(block === undefined ? {} : cases)) {
  test(name, async () => {
    const plain = await shaped(graphOf(shapes, nodes))
    const rewritten: Graph = { ...plain, nodes: [...plain.nodes], opsets: new Map(plain.opsets) }
    useBlockedLayout(rewritten, block ?? 0)
    const count = (opType: string) =>
      rewritten.nodes.filter(node => node.opType === opType && node.domain !== '').length
    assert.is(count('Conv'), blocked.convolutions)
    if (blocked.in !== undefined) assert.is(count('ReorderInput'), blocked.in)
    if (blocked.out !== undefined) assert.is(count('ReorderOutput'), blocked.out)
    const [right, made] = [await run(plain, shapes), await run(rewritten, shapes)]
    assert.equal(made.dims, right.dims)
    for (const [index, value] of right.data.entries()) {
      const found = made.data[index] ?? NaN
      assert.ok(
        Math.abs(found - value) <= 1e-5 * Math.max(1, Math.abs(value)),
        `${index}: ${found}, ${value}`,
      )
    }
  })
}

function graphOf(shapes: Case['shapes'], nodes: Node[]): Graph {
  return {
    name: 'blocked',
    inputs: Object.entries(shapes).map(([name, dims]) => ({ name, type: 'float32', dims })),
    outputs: [{ name: 'y', type: 'float32', dims: undefined }],
    nodes,
    initializers: new Map(),
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  }
}

async function run(graph: Graph, shapes: Case['shapes']) {
  const session = await open(graph)
  const feeds = Object.fromEntries(
    Object.entries(shapes).map(([name, dims], place) => {
      const size = dims.reduce((product, dim) => product * dim, 1)
      const next = random(place)
      return [
        name,
        float(
          dims,
          Array.from({ length: size }, () => next() - 0.5),
        ),
      ]
    }),
  )
  const { y } = await session.run(feeds)
  await session.release()
  return { dims: y?.dims, data: floats(y) }
}

test.run()
