/**
 * How many channels a block of this processor's convolutions has, found by trying: a small training step of a depthwise
 * convolution in blocks of each size against the same in standard operators. A wrong size gives wrong numbers, and an
 * engine without the layout refuses it; either way the standard operators remain.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { useBlockedLayout } from '../autodiff/index.ts'
import { createNode, type Graph, int, ints, writeGraph } from '../onnx/index.ts'

/** Channels of 32-bit numbers in a register of AVX-512, of AVX2, and of NEON or SSE. */
const candidates = [16, 8, 4]

const shapes = { x: [2, 32, 5, 6], w: [32, 1, 3, 3], y: [2, 32, 5, 6] }

let known: Promise<number | undefined> | undefined

/** Undefined where no size gives the right numbers. Tried once a process, in some milliseconds. */
export function findChannelBlock(): Promise<number | undefined> {
  known ??= tryAll()
  return known
}

async function tryAll(): Promise<number | undefined> {
  const right = await run(convolution())
  for (const block of candidates) {
    const graph = convolution()
    useBlockedLayout(graph, block)
    const found = await run(graph).catch(() => undefined)
    if (found?.every((value, index) => Math.abs(value - (right[index] ?? NaN)) < 1e-4)) return block
  }
  return undefined
}

function convolution(): Graph {
  const port = (name: keyof typeof shapes) => ({ name, type: 'float32' as const, dims: shapes[name] })
  return {
    name: 'channel-block',
    inputs: [port('x'), port('w')],
    outputs: [port('y')],
    nodes: [createNode('Conv', ['x', 'w'], ['y'], { group: int(32), pads: ints([1, 1, 1, 1]) })],
    initializers: new Map(),
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  }
}

async function run(graph: Graph): Promise<Float32Array> {
  const session = await InferenceSession.create(writeGraph(graph), {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  })
  try {
    const numbers = (dims: readonly number[]) => {
      const size = dims.reduce((product, dim) => product * dim, 1)
      return new Tensor(
        'float32',
        Float32Array.from({ length: size }, (_, index) => Math.sin(index)),
        dims,
      )
    }
    const { y } = await session.run({ x: numbers(shapes.x), w: numbers(shapes.w) })
    if (!(y?.data instanceof Float32Array)) throw new TypeError('not a float32 tensor')
    return y.data
  } finally {
    await session.release()
  }
}
