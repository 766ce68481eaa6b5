import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { buildAccumulatingStep, buildTrainingStep, type Optimizer } from '../../runtime/autodiff/index.ts'
import { type Feeds, float, floats, open } from './engine.ts'
import { byName, dataFeeds, initialSlots, prepared, rows, runSteps, samples } from './small-network.ts'

const test = suite('autodiff/update')

const plain: Optimizer = { kind: 'sgd', momentum: 0 }
const batch = samples(4)

function assertNear(actual: Iterable<number>, expected: Iterable<number>, bound: number): void {
  const wanted = [...expected]
  for (const [index, value] of [...actual].entries())
    assert.ok(
      Math.abs(value - (wanted[index] ?? NaN)) <= bound,
      `${index}: ${value}, expected ${wanted[index]}`,
    )
}

/** The gradient of every parameter: what one plain step of rate 1 takes away. */
async function gradients(options = {}): Promise<{ flat: number[]; norm: number }> {
  const step = buildTrainingStep(await prepared(4), { optimizer: plain, ...options })
  const start = initialSlots(
    step,
    step.slots.map(({ dims }) => dims),
  )
  const [result] = await runSteps(step, [batch], 1)
  const flat = start.flatMap((slot, at) =>
    [...slot].map((value, index) => value - (result?.slots[at]?.[index] ?? NaN)),
  )
  return { flat, norm: result?.gradientNorm ?? NaN }
}

test('gradients whose joint norm is too large are scaled to the limit, and the norm is told', async () => {
  const { flat } = await gradients()
  const norm = Math.hypot(...flat)
  const half = await gradients({ clipNorm: norm / 2 })
  assertNear([half.norm], [norm], 1e-6)
  assertNear(
    half.flat,
    flat.map(value => value / 2),
    1e-6,
  )
})

test('gradients within the limit are left alone', async () => {
  const { flat } = await gradients()
  assertNear((await gradients({ clipNorm: 100 })).flat, flat, 1e-7)
})

test('the average of the weights is the exponential one, without its bias towards zero', async () => {
  const averaging = 0.8
  const step = buildTrainingStep(await prepared(4), { optimizer: { kind: 'adam' }, averaging })
  const results = await runSteps(
    step,
    [1, 2, 3, 4, 5].map(seed => samples(4, seed)),
    0.05,
  )
  const [first, ...others] = results
  assertNear(
    first?.averages.flatMap(average => [...(average ?? [])]) ?? [],
    first?.slots.flatMap(slot => [...slot]) ?? [],
    1e-7,
  )
  for (const [at, slot] of step.slots.entries()) {
    assert.ok(slot.average && slot.state.includes(slot.average))
    const trail = [first, ...others].map(result => result?.slots[at] ?? [])
    const raw = trail.reduce<number[]>(
      (sum, values) =>
        [...values].map((value, index) => averaging * (sum[index] ?? 0) + (1 - averaging) * value),
      [],
    )
    assertNear(
      results.at(-1)?.averages[at] ?? [],
      raw.map(value => value / (1 - averaging ** trail.length)),
      1e-5,
    )
  }
})

for (const [name, options] of [
  ['plain descent', { optimizer: plain }],
  [
    'AdamW with clipping and an average',
    {
      optimizer: { kind: 'adam', weightDecay: 0.1, decoupledDecay: true },
      clipNorm: 0.1,
      averaging: 0.9,
    },
  ],
] as const) {
  test(`three steps of ${name} over micro-batches of 2, one sample left out, are those of batches of 6`, async () => {
    const batches = [1, 2, 3].map(seed => samples(6, seed))
    for (const { weights } of batches) weights[5] = 0
    const whole = buildTrainingStep(await prepared(6), options)
    const expected = (await runSteps(whole, batches)).map(({ slots }) => slots)

    const parts = buildAccumulatingStep(await prepared(2), options)
    const { accumulate, apply } = parts
    const accumulateSession = await open(accumulate.model)
    const applySession = await open(apply.model)
    let slots = initialSlots(
      parts,
      apply.slots.map(({ dims }) => dims),
    )
    const state: Feeds = {}
    const zeros = (dims: readonly number[]) => float(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)))
    for (const { input, dims } of apply.slots.flatMap(slot => slot.state)) state[input] = zeros(dims)
    for (const [index, whole6] of batches.entries()) {
      const parameters: Feeds = Object.fromEntries(
        apply.slots.map(({ input, dims }, at) => [input, float(dims, slots[at] ?? [])]),
      )
      const sums: Feeds = Object.fromEntries(accumulate.sums.map(({ input, dims }) => [input, zeros(dims)]))
      for (const start of [0, 2, 4]) {
        const data = dataFeeds(rows(whole6, start, 2), accumulate.inputs)
        const made = await accumulateSession.run({ ...parameters, ...sums, ...data })
        for (const { input, output, dims } of accumulate.sums) sums[input] = float(dims, floats(made[output]))
      }
      const scalars = {
        [apply.inputs.learningRate]: float([], [0.1]),
        [apply.inputs.step]: float([], [index + 1]),
      }
      const made = await applySession.run({ ...parameters, ...sums, ...state, ...scalars })
      slots = apply.slots.map(({ output }) => floats(made[output]).slice())
      for (const { input, output, dims } of apply.slots.flatMap(slot => slot.state)) {
        state[input] = float(dims, floats(made[output]))
      }
      const wanted = byName(whole, expected[index] ?? [])
      for (const [parameter, values] of byName(parts, slots))
        assertNear(values, wanted.get(parameter) ?? [], 2e-6)
    }
    await accumulateSession.release()
    await applySession.release()
  })
}

test.run()
