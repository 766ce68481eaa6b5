import * as ort from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  createNode,
  exposeFeatures,
  floatTensor,
  type Graph,
  int,
  int64Tensor,
  type Node,
  type Tensor,
  writeGraph,
} from '../../runtime/onnx/index.ts'

const test = suite('onnx/expose-features')

function modelOf(nodes: Node[], initializers: Record<string, Tensor>, dims: (number | string)[]): Uint8Array {
  const graph: Graph = {
    name: 'g',
    inputs: [{ name: 'x', type: 'float32', dims }],
    outputs: [{ name: 'y', type: 'float32', dims: ['N', 3] }],
    nodes,
    initializers: new Map(Object.entries(initializers)),
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  }
  return writeGraph(graph)
}
const counted = (...dims: number[]) =>
  floatTensor(
    dims,
    Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, at) => at / 10 - 0.3),
  )

async function runOf(bytes: Uint8Array, dims: number[]) {
  const session = await ort.InferenceSession.create(bytes)
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, at) => Math.sin(at))
  const outputs = await session.run({ x: new ort.Tensor('float32', data, dims) })
  await session.release()
  return { data, outputs }
}
const numbers = (value: ort.OnnxValue | undefined) => Array.from((value as ort.Tensor).data as Float32Array)

test('a Gemm shows what it takes in, row by row, and answers as before', async () => {
  const bytes = modelOf(
    [createNode('Abs', ['x'], ['f']), createNode('Gemm', ['f', 'w', 'b'], ['y'], { transB: int(1) })],
    { w: counted(3, 4), b: counted(3) },
    ['N', 4],
  )
  const exposed = exposeFeatures(bytes)
  assert.is(exposed?.output, 'f')
  assert.not.ok(exposed?.pooled)
  const { data, outputs } = await runOf(exposed?.bytes ?? bytes, [2, 4])
  assert.equal(numbers(outputs.f), Array.from(data, Math.abs))
  assert.equal(numbers(outputs.y), numbers((await runOf(bytes, [2, 4])).outputs.y))
})

test('a convolution shows the mean over its positions', async () => {
  const bytes = modelOf(
    [
      createNode('Abs', ['x'], ['f']),
      createNode('Conv', ['f', 'w'], ['m']),
      createNode('GlobalAveragePool', ['m'], ['p']),
      createNode('Reshape', ['p', 'row'], ['y']),
    ],
    { w: counted(3, 2, 1, 1), row: int64Tensor([-1, 3]) },
    ['N', 2, 2, 2],
  )
  const exposed = exposeFeatures(bytes)
  assert.ok(exposed?.pooled)
  const { data, outputs } = await runOf(exposed?.bytes ?? bytes, [1, 2, 2, 2])
  const mean = (from: number) => [0, 1, 2, 3].reduce((sum, at) => sum + Math.abs(data[from + at] ?? 0), 0) / 4
  for (const [at, value] of numbers(outputs[exposed?.output ?? '']).entries()) {
    assert.ok(Math.abs(value - mean(4 * at)) < 1e-6)
  }
  assert.equal(numbers(outputs.y), numbers((await runOf(bytes, [1, 2, 2, 2])).outputs.y))
})

test('what is an output already is not made one twice', async () => {
  const bytes = modelOf(
    [createNode('Abs', ['x'], ['f']), createNode('MatMul', ['f', 'w'], ['y'])],
    { w: counted(4, 3) },
    ['N', 4],
  )
  const once = exposeFeatures(bytes)
  const twice = exposeFeatures(once?.bytes ?? bytes)
  assert.is(twice?.output, 'f')
  const session = await ort.InferenceSession.create(twice?.bytes ?? bytes)
  assert.equal([...session.outputNames].sort(), ['f', 'y'])
  await session.release()
})

test('a model that is one layer, or has no weights, shows nothing', () => {
  assert.is(
    exposeFeatures(modelOf([createNode('MatMul', ['x', 'w'], ['y'])], { w: counted(4, 3) }, ['N', 4])),
    undefined,
  )
  assert.is(exposeFeatures(modelOf([createNode('Abs', ['x'], ['y'])], {}, ['N', 3])), undefined)
})

test.run()
