import { readFile } from 'node:fs/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { buildTrainingStep, prepareForTraining, type TrainingStep } from '../../runtime/autodiff/index.ts'
import { floatsOf, inlineConstants, readGraph, replaceWeights } from '../../runtime/onnx/index.ts'
import { assetPath, type Feeds, float, floats, open, random, simplified, slotValues } from './engine.ts'

const test = suite('autodiff on the PP-OCR classifier')

const BATCH = 4

/** Length of a finite difference: longer ones cross kinks of the activations, shorter ones drown in float32. */
const REACH = 3e-4
const bytes = new Uint8Array(await readFile(assetPath('ch_ppocr_mobile_v2.0_cls_infer.onnx')))
const source = readGraph(bytes)
const flat = readGraph(bytes)
inlineConstants(flat)
const original = (name: string): Float32Array => {
  const tensor = flat.initializers.get(name)
  assert.ok(tensor, name)
  return floatsOf(tensor)
}

const next = random(7)
const images = float(
  [BATCH, 3, 48, 192],
  Array.from({ length: BATCH * 3 * 48 * 192 }, () => next() * 2 - 1),
)
const targets = [0.9, 0.1, 0, 1, 1, 0, 0.3, 0.7]
const weights = [1, 0.5, 1, 0]

async function build(
  optimizer: Parameters<typeof buildTrainingStep>[1]['optimizer'],
  trainable = (_: string) => true,
) {
  const inputShape = [BATCH, 3, 48, 192]
  return buildTrainingStep(await simplified(prepareForTraining(source, { inputShape, trainable })), {
    optimizer,
  })
}

function feedsOf(step: TrainingStep, slots: readonly Float32Array[], learningRate: number): Feeds {
  const feeds: Feeds = {
    [step.inputs.images]: images,
    [step.inputs.targets]: float([BATCH, 2], targets),
    [step.inputs.weights]: float([BATCH], weights),
    [step.inputs.learningRate]: float([], [learningRate]),
    [step.inputs.step]: float([], [1]),
  }
  for (const [index, slot] of step.slots.entries()) {
    feeds[slot.input] = float(slot.dims, slots[index] ?? [])
    for (const { input, dims } of slot.state)
      feeds[input] = float(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)))
  }
  return feeds
}

/** The loss in float64 from the probabilities of the model that serves, with these weights in it. */
async function servedLoss(changed: ReadonlyMap<string, Float32Array>): Promise<number> {
  const session = await open(replaceWeights(bytes, changed))
  const [output = ''] = session.outputNames
  const probabilities = floats((await session.run({ x: images }))[output])
  await session.release()
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return probabilities.reduce((loss, probability, index) => {
    const weight = (weights[Math.floor(index / 2)] ?? 0) / total
    return loss - weight * (targets[index] ?? 0) * Math.log(probability)
  }, 0)
}

test('gradients agree with finite differences of the model as it is served, along random directions', async () => {
  // One step of plain gradient descent from zero momentum with learning rate 1 changes p by the gradient.
  const step = await build({ kind: 'sgd', momentum: 0 })
  const session = await open(step.model)
  const made = await session.run(feedsOf(step, slotValues(step, original), 1))
  await session.release()
  assert.ok(Math.abs((floats(made[step.outputs.loss])[0] ?? 0) - (await servedLoss(new Map()))) < 1e-5)

  const kinds: [string, string][] = [
    ['the first convolution', 'conv2d_0.w_0'],
    ['a 3x3 depthwise convolution', 'conv2d_2.w_0'],
    ['a strided 5x5 depthwise convolution', 'conv2d_38.w_0'],
    ['a pointwise convolution', 'conv2d_47.w_0'],
    ['a squeeze-and-excitation bias', 'conv2d_14.b_0'],
    ['a normalization scale', 'batch_norm_14.w_0'],
    ['a normalization bias', 'batch_norm_33.b_0'],
    ['the last layer', 'fc_0.w_0'],
  ]
  for (const [kind, name] of kinds) {
    const parameter = step.parameters.find(found => found.name === name)
    assert.ok(parameter, `${name} is trained`)
    const before = original(name)
    const after = floats(made[step.slots[parameter.slot]?.output ?? '']).subarray(
      parameter.offset,
      parameter.offset + before.length,
    )
    const gradient = before.map((value, index) => value - (after[index] ?? 0))
    const length = Math.hypot(...gradient)
    // Uphill, with a random part: a random direction alone would hardly change the loss.
    const direction = gradient.map(value => value / length + (next() * 2 - 1) / Math.sqrt(before.length))
    const shifted = (sign: number) =>
      before.map((value, index) => value + sign * REACH * (direction[index] ?? 0))
    const high = await servedLoss(new Map([[name, shifted(1)]]))
    const low = await servedLoss(new Map([[name, shifted(-1)]]))
    const numeric = (high - low) / (2 * REACH)
    const expected = gradient.reduce((sum, value, index) => sum + value * (direction[index] ?? 0), 0)
    assert.ok(
      Math.abs(numeric - expected) < 0.01 * Math.abs(expected) + 2e-4,
      `${kind} (${name}): finite difference ${numeric}, gradient ${expected}`,
    )
  }
})

test('the loss falls over twenty steps of Adam, and the weights it ends with serve that loss', async () => {
  const step = await build({ kind: 'adam' })
  assert.ok(step.parameters.length > 100, `${step.parameters.length} parameters train`)
  const session = await open(step.model)
  const feeds = feedsOf(step, slotValues(step, original), 1e-3)
  const losses: number[] = []
  for (let count = 1; count <= 20; count++) {
    feeds[step.inputs.step] = float([], [count])
    const made = await session.run(feeds)
    losses.push(floats(made[step.outputs.loss])[0] ?? NaN)
    for (const slot of step.slots) {
      for (const { input, output } of [slot, ...slot.state]) {
        const tensor = made[output]
        assert.ok(tensor, output)
        feeds[input] = tensor
      }
    }
  }
  const [first = 0] = losses
  // Soft targets keep the loss above their entropy.
  assert.ok((losses.at(-1) ?? NaN) < 0.6 * first, losses.join(' '))

  const trained = new Map(
    step.parameters.map(({ name, dims, slot, offset }) => {
      const values = floats(feeds[step.slots[slot]?.input ?? '']) // fed next, that is the newest
      return [name, values.slice(offset, offset + dims.reduce((a, b) => a * b, 1))]
    }),
  )
  const made = await session.run(feeds)
  await session.release()
  const served = await servedLoss(trained)
  assert.ok(Math.abs(served - (floats(made[step.outputs.loss])[0] ?? NaN)) < 1e-4, `${served}`)
})

test('frozen layers get no gradient nodes, and a sample of weight zero no influence', async () => {
  const head = await build({ kind: 'sgd' }, name => name.startsWith('fc_0'))
  assert.equal(head.parameters.map(({ name }) => name).sort(), ['fc_0.b_0', 'fc_0.w_0'])
  const { nodes } = readGraph(head.model)
  assert.not.ok(nodes.some(({ opType }) => opType === 'ConvTranspose' || opType === 'ScatterElements'))

  const session = await open(head.model)
  const run = async (last: number) => {
    const feeds = feedsOf(head, slotValues(head, original), 0.1)
    feeds[head.inputs.targets] = float([BATCH, 2], [...targets.slice(0, 6), last, 1 - last])
    return floats((await session.run(feeds))[head.slots[0]?.output ?? '']).slice()
  }
  assert.equal(await run(0), await run(1))
  await session.release()
})

test.run()
