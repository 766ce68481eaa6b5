import { readFile } from 'node:fs/promises'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checkRetraining } from '../../runtime/core/definition-schema.ts'
import { type RetrainingDefinition, sgd } from '../../runtime/core/retraining-definition.ts'
import { parametersOf, readGraph } from '../../runtime/onnx/index.ts'
import type { Batch } from '../../runtime/training/batch.ts'
import { makeStep } from '../../runtime/training/make-step.ts'
import { seededRandom } from '../../runtime/training/random.ts'
import { sessionOptions } from '../../runtime/training/session-options.ts'
import { createStepRunner } from '../../runtime/training/step-runner.ts'
import { slotData, weightsOf } from '../../runtime/training/weights.ts'
import { realModel } from './real-model.ts'

const test = suite('training/step-runner')
const dims = [3, 16, 32]
const size = 3 * 16 * 32
const batchSize = 4
const options = sessionOptions({ provider: 'cpu', threads: 1 })

async function makeRealStep(definition: Partial<RetrainingDefinition> = {}) {
  const bytes = await readFile(realModel)
  const recipe = checkRetraining('test', { model: 'm', batchSize, ...definition })
  const model = { file: realModel, inputName: 'x', outputName: 'softmax_0.tmp_0', labels: ['0', '180'] }
  const { step, frozen } = await makeStep(bytes, { model, provider: 'cpu' }, recipe, dims)
  return { step, frozen, graph: readGraph(bytes), initial: () => slotData(step, readGraph(bytes)) }
}

function randomBatch(random: () => number, count = batchSize, length = size): Batch {
  const images = Float32Array.from({ length: batchSize * length }, () => random() * 2 - 1)
  const targets = new Float32Array(batchSize * 2)
  for (let row = 0; row < batchSize; row += 1) targets[row * 2 + (row % 2)] = 1
  const weights = Float32Array.from({ length: batchSize }, (_, row) => (row < count ? 1 : 0))
  return { images, targets, weights, count }
}

test('many steps over the same buffers give what steps with fresh tensors give', async () => {
  const { step, initial } = await makeRealStep()
  const random = seededRandom(3)
  const batches = Array.from({ length: 5 }, () => randomBatch(random))

  const runner = await createStepRunner(step, initial(), dims, options)
  const losses: number[] = []
  for (const batch of batches) losses.push(await runner.run(batch, 1e-3))
  const trained = (await runner.parameters()).map(data => data.slice())
  await runner.close()

  const session = await InferenceSession.create(step.model, options)
  const tensor = (data: Float32Array, shape: readonly number[]) =>
    new Tensor('float32', data.slice(), [...shape])
  const loops = step.slots.flatMap((slot, index) => [
    { ...slot, data: initial()[index] ?? new Float32Array() },
    ...slot.state.map(loop => ({ ...loop, data: new Float32Array(loop.dims.reduce((a, b) => a * b, 1)) })),
  ])
  for (const [index, { images, targets, weights }] of batches.entries()) {
    const results = await session.run({
      [step.inputs.images]: tensor(images, [batchSize, ...dims]),
      [step.inputs.targets]: tensor(targets, [batchSize, 2]),
      [step.inputs.weights]: tensor(weights, [batchSize]),
      [step.inputs.learningRate]: tensor(Float32Array.of(1e-3), []),
      [step.inputs.step]: tensor(Float32Array.of(index + 1), []),
      ...Object.fromEntries(loops.map(({ input, data, dims }) => [input, tensor(data, dims)])),
    })
    assert.is(losses[index], Number(results[step.outputs.loss]?.data[0]))
    for (const loop of loops) loop.data = Float32Array.from(results[loop.output]?.data ?? [], Number)
  }
  await session.release()
  for (const [index, { input }] of step.slots.entries()) {
    assert.equal(trained[index], loops.find(loop => loop.input === input)?.data)
  }
  assert.not.equal(trained, initial())
})

test('what stands in the rows that only fill a batch does not matter', async () => {
  const { step, initial } = await makeRealStep()
  const after = async (filler: number) => {
    const batch = randomBatch(seededRandom(4), 3)
    batch.images.fill(filler, 3 * size)
    const runner = await createStepRunner(step, initial(), dims, options)
    const loss = await runner.run(batch, 1e-3)
    const parameters = (await runner.parameters()).map(data => data.slice())
    await runner.close()
    return { loss, parameters }
  }
  assert.equal(await after(0), await after(0.7))
})

test('a head that trains alone changes nothing else', async () => {
  const { step, frozen, graph, initial } = await makeRealStep({
    trainable: 'head',
    optimizer: sgd({ learningRate: 0.1 }),
  })
  const features = frozen?.dims.slice(1) ?? dims
  const names = step.parameters.map(({ name }) => name)
  const all = parametersOf(graph).map(({ name }) => name)
  assert.equal(names.toSorted(), all.slice(-names.length).toSorted())
  assert.ok(names.length >= 1 && names.length <= 2, names.join())
  const runner = await createStepRunner(step, initial(), features, options)
  const length = features.reduce((product, dim) => product * dim, 1)
  const batch = randomBatch(seededRandom(5), batchSize, length)
  const first = await runner.run(batch, 0.1)
  for (let step = 0; step < 5; step += 1) await runner.run(batch, 0.1)
  assert.ok((await runner.run(batch, 0.1)) < first)
  assert.equal([...weightsOf(step, await runner.parameters()).keys()], names)
  await runner.close()
})

test.run()
