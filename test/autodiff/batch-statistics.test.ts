import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { buildTrainingStep } from '../../runtime/autodiff/index.ts'
import { prepareForTraining } from '../../runtime/autodiff/prepare.ts'
import { int } from '../../runtime/onnx/index.ts'
import {
  byName,
  CLASSES,
  initialSlots,
  prepared,
  runSteps,
  type Samples,
  samples,
  smallNetwork,
} from './small-network.ts'

const test = suite('autodiff/batch-statistics')

const batch = samples(4)
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)

/** The network in float64 with normalization by the batch, written independently; `value` reads a parameter. */
function reference({ images, targets, weights }: Samples, value: (name: string) => readonly number[]) {
  const at = (name: string, index: number) => value(name)[index] ?? NaN
  const count = weights.length
  const convolved = (n: number, o: number, row: number, column: number) =>
    sum(
      [0, 1].flatMap(c =>
        [0, 1, 2].flatMap(i =>
          [0, 1, 2].map(j => {
            const [r, s] = [row + i - 1, column + j - 1]
            const inside = r >= 0 && r < 4 && s >= 0 && s < 4
            return inside
              ? (images[n * 32 + c * 16 + r * 4 + s] ?? 0) * at('conv.weight', o * 18 + c * 9 + i * 3 + j)
              : 0
          }),
        ),
      ),
    )
  const axis = [0, 1, 2, 3]
  const maps = Array.from({ length: count }, (_, n) =>
    axis.map(o => axis.flatMap(row => axis.map(column => convolved(n, o, row, column)))),
  )
  const statistics = axis.map(o => {
    const all = maps.flatMap(each => each[o] ?? [])
    const mean = sum(all) / all.length
    return { mean, variance: sum(all.map(x => (x - mean) ** 2)) / all.length }
  })
  const features = maps.map(each =>
    each.map((map, o) => {
      const { mean = 0, variance = 0 } = statistics[o] ?? {}
      const normal = (x: number) => (x - mean) / Math.sqrt(variance + 0.01)
      return sum(map.map(x => Math.tanh(normal(x) * at('bn.weight', o) + at('bn.bias', o)))) / 16
    }),
  )
  const total = sum([...weights])
  const losses = features.map((f, n) => {
    const z = [0, 1, 2].map(
      k => sum(f.map((x, o) => x * at('fc.weight', o * CLASSES + k))) + at('fc.bias', k),
    )
    const largest = Math.log(sum(z.map(Math.exp)))
    return -sum(z.map((x, k) => (targets[n * CLASSES + k] ?? 0) * (x - largest)))
  })
  return { loss: sum(losses.map((loss, n) => (loss * (weights[n] ?? 0)) / total)), statistics }
}

test('a step on batch statistics has the loss, gradients and running statistics of an independent float64 network', async () => {
  const step = buildTrainingStep(await prepared(4, { batchNormalization: 'batch' }), {
    optimizer: { kind: 'sgd', momentum: 0 },
  })
  const start = byName(
    step,
    initialSlots(
      step,
      step.slots.map(({ dims }) => dims),
    ),
  )
  const [result] = await runSteps(step, [batch], 1)
  assert.ok(result)
  const after = byName(step, result.slots)
  const value = (name: string) => start.get(name) ?? []
  const { loss, statistics } = reference(batch, value)
  assert.ok(Math.abs(result.loss - loss) < 1e-5, `${result.loss}, expected ${loss}`)

  for (const name of ['conv.weight', 'bn.weight', 'bn.bias', 'fc.weight', 'fc.bias']) {
    for (const [index, old] of value(name).slice(0, 20).entries()) {
      const shifted = (by: number) =>
        reference(batch, each => (each === name ? value(name).with(index, old + by) : value(each))).loss
      const slope = (shifted(1e-4) - shifted(-1e-4)) / 2e-4
      const gradient = old - (after.get(name)?.[index] ?? NaN)
      assert.ok(Math.abs(gradient - slope) < 1e-5, `${name} ${index}: ${gradient}, expected ${slope}`)
    }
  }
  for (const [o, { mean, variance }] of statistics.entries()) {
    const follow = (old: number, batchValue: number) => 0.75 * old + 0.25 * batchValue
    assert.ok(Math.abs((after.get('bn.mean')?.[o] ?? NaN) - follow(value('bn.mean')[o] ?? NaN, mean)) < 1e-5)
    assert.ok(
      Math.abs((after.get('bn.var')?.[o] ?? NaN) - follow(value('bn.var')[o] ?? NaN, variance)) < 1e-5,
    )
  }
})

test('by default statistics stay frozen, and so do those of a normalization that does not train', async () => {
  const names = async (options: Parameters<typeof prepared>[1]) =>
    buildTrainingStep(await prepared(2, options), { optimizer: { kind: 'sgd' } }).parameters.map(
      ({ name }) => name,
    )
  assert.not.ok((await names({})).includes('bn.mean'))
  const head = await names({ batchNormalization: 'batch', trainable: name => name.startsWith('fc') })
  assert.equal(head.toSorted(), ['fc.bias', 'fc.weight'])
})

test('statistics are no one of the optimizer: no state, no decay, no average', async () => {
  const step = buildTrainingStep(await prepared(2, { batchNormalization: 'batch' }), {
    optimizer: { kind: 'adam', weightDecay: 1 },
    averaging: 0.9,
  })
  const running = step.parameters.filter(({ role }) => role === 'statistic')
  assert.equal(
    running.map(({ name, decay }) => [name, decay]),
    [
      ['bn.mean', false],
      ['bn.var', false],
    ],
  )
  assert.equal(step.slots[running[0]?.slot ?? -1]?.state, [])
})

test('a model that was exported while it trained is prepared in its inference form', () => {
  const graph = smallNetwork()
  const [, normalization] = graph.nodes
  assert.ok(normalization)
  normalization.attributes.training_mode = int(1)
  normalization.outputs.push('running.mean', 'running.var')
  const tanh = graph.nodes.findIndex(({ opType }) => opType === 'Tanh')
  const dropout = {
    ...normalization,
    opType: 'Dropout',
    name: 'd',
    inputs: ['n', 'ratio', 'training'],
    outputs: ['d'],
    attributes: {},
  }
  graph.nodes.splice(tanh, 0, dropout)
  const { nodes } = prepareForTraining(graph, { inputShape: [1, 2, 4, 4], trainable: () => true }).graph
  assert.not.ok(nodes.some(({ attributes, outputs }) => attributes.training_mode || outputs.length > 1))
  assert.ok(nodes.every(({ opType, inputs }) => opType !== 'Dropout' || inputs.length === 1))
})

test.run()
