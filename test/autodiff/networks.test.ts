/**
 * Whole networks against PyTorch, whose results in float64 are in test/fixtures/networks (made by scripts/oracle,
 * which also compares every network entry by entry, where PyTorch is installed).
 */
import { existsSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Optimizer } from '../../runtime/autodiff/index.ts'
import { parametersOf, readGraph } from '../../runtime/onnx/index.ts'
import { loadExpectations } from '../../scripts/oracle/expectations.ts'
import { fixtureOf, listNetworks, loadNetwork, networkEntry } from '../../scripts/oracle/load-network.ts'
import { buildNetworkStep, examplesFor, runSteps } from '../../scripts/oracle/network-step.ts'
import { summarize } from '../../scripts/oracle/summary.ts'

const test = suite('autodiff on whole networks')

/** Relative to a gradient's norm: a random sum of errors of this size an entry stays below it. */
const GRADIENT_BOUND = 1e-5
/** Adam's first steps go by the gradient's signs, whatever its size: rounding shows sooner than with SGD. */
const LOSS_BOUND = { sgd: 1e-4, adam: 1e-3 }

/** Those with a file of PyTorch's results, and how many steps of its ten are cheap enough to run every time. */
const compared: Record<string, { sgd?: number; adam?: number }> = {
  resnet18: { sgd: 10, adam: 10 },
  mobilenet_v3_small: { sgd: 10, adam: 10 },
  shufflenet_v2_x1_0: { sgd: 10, adam: 10 },
  densenet121: { sgd: 3 },
  efficientnet_v2_s: { sgd: 3 },
  convnext_base: { sgd: 2 },
  'vit_b_16-opset13': { sgd: 2 },
}

/**
 * Not compared with PyTorch here; a step shows that they build and that the gradients are right at first sight. By the
 * learning rate of that step: short enough for a straight line, long enough to be seen in a float32 loss.
 */
const stepped: Record<string, number> = {
  googlenet: 1e-4,
  inception_v3: 1e-4,
  mnasnet0_5: 1e-4,
  mobilenet_v2: 1e-4,
  'mobilenet_v3_small-folded': 1e-4,
  regnet_y_400mf: 1e-4,
  'resnet18-folded': 1e-4,
  resnet50: 1e-4,
  'shufflenet_v2_x1_0-opset13': 1e-4,
  squeezenet1_0: 1e-5,
  squeezenet1_1: 1e-4,
}

/** The largest, which take too long to run every time. */
const built = [
  'alexnet',
  'densenet201',
  'efficientnet_v2_l',
  'resnet152',
  'vgg11',
  'vgg16',
  'vgg19',
  'vit_b_16',
]

for (const [name, { sgd = 0, adam = 0 }] of Object.entries(compared)) {
  test(`${name}: gradients of all parameters and ${sgd} steps of SGD with momentum agree with PyTorch`, async () => {
    const { curves, gradients } = loadExpectations(name)
    const made = await train(name, { kind: 'sgd' }, { ...curves.sgd, count: sgd })
    assertGradients(made.gradients, gradients)
    assertLosses(made.losses, curves.sgd.losses, LOSS_BOUND.sgd)
  })
  if (adam === 0) continue
  test(`${name}: ${adam} steps of Adam agree with PyTorch`, async () => {
    const { curves } = loadExpectations(name)
    const made = await train(name, { kind: 'adam' }, { ...curves.adam, count: adam })
    assertLosses(made.losses, curves.adam.losses, LOSS_BOUND.adam)
  })
}

function assertLosses(made: readonly number[], expected: readonly number[], bound: number): void {
  for (const [index, loss] of made.entries()) {
    const error = Math.abs(loss - (expected[index] ?? NaN))
    assert.ok(error < bound, `step ${index + 1}: loss ${loss}, PyTorch ${expected[index]}`)
  }
}

function assertGradients(
  gradients: ReadonlyMap<string, Float32Array>,
  expected: Record<string, readonly [number, number, number]>,
): void {
  assert.equal([...gradients.keys()].sort(), Object.keys(expected).sort())
  for (const [name, [norm, largest, signed]] of Object.entries(expected)) {
    const made = summarize(name, gradients.get(name) ?? new Float32Array())
    const detail = `${name}: norm, largest entry, signed sum ${made}; PyTorch ${[norm, largest, signed]}`
    assert.ok(Math.abs(made[0] - norm) <= GRADIENT_BOUND * norm, detail)
    assert.ok(Math.abs(made[1] - largest) <= GRADIENT_BOUND * largest, detail)
    assert.ok(Math.abs(made[2] - signed) <= GRADIENT_BOUND * norm, detail)
  }
}

for (const [name, learningRate] of Object.entries(stepped)) {
  test(`${name}: a step along the gradients makes the loss smaller by as much as their norm says`, async () => {
    const { losses, gradients } = await train(
      name,
      { kind: 'sgd', momentum: 0.5 },
      { count: 2, learningRate },
    )
    const [before = NaN, after = NaN] = losses
    const squares = [...gradients.values()].reduce(
      (sum, gradient) => sum + summarize('', gradient)[0] ** 2,
      0,
    )
    const expected = learningRate * squares
    assert.ok(
      Math.abs(before - after - expected) < 0.1 * expected,
      `${before} to ${after}, expected ${expected} less`,
    )
  })
}

for (const name of built) {
  test(`${name}: a step of all parameters is built`, async () => {
    const { size } = networkEntry(name)
    const network = loadNetwork(name)
    const { step } = await buildNetworkStep(network, size, { kind: 'sgd' })
    const names = parametersOf(readGraph(network)).map(({ name }) => name)
    assert.equal(step.parameters.map(({ name }) => name).sort(), names.sort())
  })
}

test('a fixture fills with the same weights for the same seed, and with others for another', () => {
  const [first, second, other] = [5, 5, 6].map(seed => Buffer.from(loadNetwork('squeezenet1_1', seed)))
  assert.ok(first && second && other)
  assert.ok(first.equals(second))
  assert.not.ok(first.equals(other))
})

test('every network of the list has a fixture and is tried here', () => {
  const tried = new Set([...Object.keys(compared), ...Object.keys(stepped), ...built])
  for (const name of Object.keys(listNetworks())) {
    assert.ok(existsSync(fixtureOf(name)), name)
    assert.ok(tried.has(name), name)
  }
})

async function train(name: string, optimizer: Optimizer, run: { count: number; learningRate: number }) {
  const { size, seed } = networkEntry(name)
  return runSteps(await buildNetworkStep(loadNetwork(name), size, optimizer), examplesFor(size, seed), run)
}

test.run()
