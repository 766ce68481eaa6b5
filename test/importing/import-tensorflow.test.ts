import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { CorunError } from '../../runtime/core/errors.ts'
import { packageRoot } from '../../runtime/core/package-root.ts'
import { importTensorflow } from '../../runtime/importing/import-tensorflow.ts'
import { readModelFiles } from '../../runtime/importing/read-files.ts'
import { readGraph } from '../../runtime/onnx/index.ts'
import { wave } from '../../scripts/oracle/wave.ts'
import { answersOf, readFixture, worst } from './fixture.ts'

const test = suite('importing/import-tensorflow')

for (const name of ['convolutions', 'nested', 'pictures', 'rows']) {
  test(`${name}: what TensorFlow.js answers, to 5 in a million`, async () => {
    const { json, weights, shapes, answers } = await readFixture(name)
    const [shape = []] = shapes
    const model = importTensorflow(json, [Buffer.from(weights, 'base64')])
    const found = await answersOf(model, shape, wave(shape, 0))
    assert.equal([...found.keys()].sort(), answers.map(answer => answer.name.replace(/:0$/, '')).sort())
    for (const answer of answers) {
      const error = worst(found.get(answer.name.replace(/:0$/, '')), answer)
      assert.ok(error < 5e-6, `${answer.name}: ${error}`)
    }
  })
}

for (const [name, kind] of [
  ['mobilenet-v2', 'bytes'],
  ['faceres', 'halves'],
]) {
  test(`${name}, with weights in ${kind}: what TensorFlow.js answers, to 1 in 100,000`, async () => {
    const { file, shapes, scale, outputs, answers } = await readFixture(String(name))
    const [shape = []] = shapes
    const { json, groups } = await readModelFiles(join(packageRoot, 'node_modules', file))
    const model = importTensorflow(json, groups, outputs === undefined ? {} : { outputs })
    const pixels = wave(shape, 0).map(value => (value + 1) * 0.5 * scale)
    const found = await answersOf(model, shape, pixels)
    for (const answer of answers) {
      const error = worst(found.get(answer.name), answer)
      assert.ok(error < 1e-5, `${answer.name}: ${error}`)
    }
    const { nodes, inputs } = readGraph(model)
    assert.equal(
      nodes.filter(({ opType }) => ['Transpose', 'Pad', 'Min', 'Max'].includes(opType)),
      [],
    )
    assert.equal(inputs[0]?.dims, ['batch', 3, 224, 224])
  })
}

test('a graph ends where it is asked to, and what lies behind is not even looked at', async () => {
  const { json, weights } = await readFixture('pictures')
  const nodes = json.modelTopology.node?.map(node =>
    node.name === 'product' ? { ...node, op: 'Unheard' } : node,
  )
  const changed = { ...json, modelTopology: { node: nodes } }
  const groups = [Buffer.from(weights, 'base64')]
  const { outputs } = readGraph(importTensorflow(changed, groups, { outputs: ['sum'] }))
  assert.equal(outputs, [{ name: 'sum', type: 'float32', dims: ['batch', 4, 6, 5] }])
  assert.throws(
    () => importTensorflow(changed, groups),
    (error: CorunError) => error.code === 'unsupported-operator',
  )
})

test('every operator that is not known is named in one refusal', async () => {
  const { json, weights } = await readFixture('rows')
  const strange: Record<string, string> = { Tanh: 'Erf', Elu: 'Sinh', Log: 'Erf' }
  const nodes = json.modelTopology.node?.map(node => ({ ...node, op: strange[node.op] ?? node.op }))
  assert.throws(
    () => importTensorflow({ ...json, modelTopology: { node: nodes } }, [Buffer.from(weights, 'base64')]),
    /does not import: Erf, Sinh$/,
  )
})

test('weights that are cut off are refused with the weight that is missing', async () => {
  const { json, weights } = await readFixture('nested')
  const bytes = Buffer.from(weights, 'base64')
  assert.throws(
    () => importTensorflow(json, [bytes.subarray(0, -4)]),
    /weight "dense_b\/kernel" \[5, 3\] ends at/,
  )
  assert.throws(() => importTensorflow(json, [Buffer.concat([bytes, bytes])]), /the files have/)
})

test('what is no model.json says what is missing', () => {
  assert.throws(() => importTensorflow({ format: 'layers-model' }, []), /modelTopology/)
})

test.run()
