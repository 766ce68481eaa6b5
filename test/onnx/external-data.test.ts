import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as ort from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  createNode,
  embedExternalData,
  externalFilesOf,
  floatTensor,
  type Graph,
  readGraph,
  replaceWeights,
  writeGraph,
} from '../../runtime/onnx/index.ts'
import { readModel, writeModel } from '../../runtime/onnx/model.ts'
import { weightsApart } from './weights-apart.ts'

const test = suite('onnx/external-data')

const graph: Graph = {
  name: 'g',
  inputs: [{ name: 'x', type: 'float32', dims: ['N', 2] }],
  outputs: [{ name: 'y', type: 'float32', dims: ['N', 2] }],
  nodes: [createNode('Gemm', ['x', 'w', 'b'], ['y'])],
  initializers: new Map([
    ['w', floatTensor([2, 2], [1, 2, 3, 4])],
    ['b', floatTensor([2], [0.5, -0.5])],
  ]),
  valueInfo: new Map(),
  opsets: new Map([['', 17]]),
  irVersion: 8,
}

function apart(places: Record<string, string>[] = []): { model: Uint8Array; data: Uint8Array } {
  const { model, weights } = weightsApart(writeGraph(graph), 'model.onnx.data', places)
  return { model, data: weights }
}

const { model, data } = apart()
const files = new Map([['model.onnx.data', data]])

function isInvalid(pattern: RegExp) {
  return (error: { code?: string; message: string }) =>
    error.code === 'invalid-model' && pattern.test(error.message)
}

test('the files that a model needs are named once each, and none for a model in one piece', () => {
  assert.equal(externalFilesOf(model), ['model.onnx.data'])
  assert.equal(externalFilesOf(writeGraph(graph)), [])
})

test('a model with its external data put inside is the model in one piece', () => {
  assert.equal(readModel(embedExternalData(model, files)), readModel(writeGraph(graph)))
})

test('a model in one piece is handed back as it is', () => {
  const bytes = writeGraph(graph)
  assert.is(embedExternalData(bytes, new Map()), bytes)
})

test('reading a model whose data was not put inside says so', () => {
  assert.throws(() => readGraph(model), isInvalid(/"w" lies in an external file/))
})

test('trained weights go into the model; frozen ones stay in the file, and the engine reads both', async () => {
  const trained = replaceWeights(model, new Map([['b', Float32Array.of(10, 20)]]))
  assert.equal(externalFilesOf(trained), ['model.onnx.data'])
  const folder = await mkdtemp(join(tmpdir(), 'corun-external-'))
  try {
    await writeFile(join(folder, 'model.onnx'), trained)
    await writeFile(join(folder, 'model.onnx.data'), data)
    const session = await ort.InferenceSession.create(join(folder, 'model.onnx'))
    const made = await session.run({ x: new ort.Tensor('float32', [1, 1], [1, 2]) })
    assert.equal(made.y?.data, Float32Array.of(14, 26))
    await session.release()
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a file that is missing or too short is refused by name', () => {
  assert.throws(() => embedExternalData(model, new Map()), isInvalid(/"model.onnx.data", which is missing/))
  const short = new Map([['model.onnx.data', data.subarray(0, 20)]])
  assert.throws(() => embedExternalData(model, short), isInvalid(/"b" lies at 16 to 24 .* has 20 bytes/))
})

for (const location of ['/etc/passwd', '../secret', 'a/../../b', 'C:\\x', '']) {
  test(`the location "${location}" is refused`, () => {
    const bad = apart([{ location }]).model
    assert.throws(() => externalFilesOf(bad), isInvalid(/no file beside the model/))
  })
}

test('an offset that is no number is refused', () => {
  const bad = apart([{ offset: '-4' }]).model
  assert.throws(() => embedExternalData(bad, files), isInvalid(/offset "-4"/))
})

test('without offset and length the whole file is the tensor', () => {
  const bytes = readModel(model)
  const [tensor] = bytes.graph.initializer
  assert.ok(tensor)
  tensor.externalData = tensor.externalData.filter(({ key }) => key === 'location')
  for (const entry of tensor.externalData) entry.value = 'w.bin'
  const both = new Map([...files, ['w.bin', data.subarray(0, 16)]])
  assert.equal(readGraph(embedExternalData(writeModel(bytes), both)), readGraph(writeGraph(graph)))
})

test.run()
