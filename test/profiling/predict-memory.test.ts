/** Memory that points are said to take, against boxes whose memory is known. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { beyondMemory } from '../../runtime/profiling/beyond-memory.ts'
import type { Measured } from '../../runtime/profiling/bounds.ts'
import { memoryObjection, predictedMisfit } from '../../runtime/profiling/predict-memory.ts'
import type { MeasuredPoint } from '../../runtime/profiling/profile.ts'
import { type SearchPoint, type SearchSpace, spaceOf } from '../../runtime/profiling/space.ts'
import { measureOn, plainBounds, plainBox, trainingAloneOn } from './synthetic-box.ts'

const test = suite('profiling/predict-memory')
const MiB = 2 ** 20

const space: SearchSpace = spaceOf({ cores: 2, maxThreads: 8, maxBatch: 8, batchSize: 16, intraOp: true })
/** 120 + threads * (30 + 4 * batch) MiB, and 300 for the trainer. */
const truth = measureOn(plainBox, space, () => 0.5)

const at = (threads: number, batch = 1, beside = false): SearchPoint => ({
  ...{ threads, batch, intraOpThreads: 1, training: beside },
  trainerThreads: beside ? 2 : null,
  microBatch: beside ? 16 : null,
})

const known = (...points: SearchPoint[]): Measured => ({
  points: points.map(point => truth(point)),
  trainingAlone: trainingAloneOn(space),
})

const bounds = { memoryBudgetBytes: 1, deviceBudgetBytes: null }
/** What it is said to take, read from the refusal under a budget that nothing fits into. */
const predicted = (point: SearchPoint, measured: Measured) =>
  Number(/it would take (\d+) MiB/.exec(predictedMisfit(point, measured, bounds) ?? '')?.[1])

const exact: [string, SearchPoint, SearchPoint[]][] = [
  ['more threads, from a line of them', at(8), [at(1), at(2)]],
  ['larger batches, from a line of them', at(1, 8), [at(1, 1), at(1, 2)]],
  ['both, where each thread holds its own rows', at(8, 8), [at(1), at(2), at(2, 2)]],
  ['more threads, of batches larger than those of the line', at(4, 2), [at(1), at(2), at(2, 2)]],
  ['larger batches, on more threads than those of the line', at(4, 4), [at(1), at(1, 2), at(2), at(4)]],
  ['beside the trainer, from points alone and the trainer alone', at(4, 1, true), [at(1), at(2)]],
  ['beside the trainer, from a point beside it', at(4, 1, true), [at(1), at(2), at(1, 1, true)]],
]
for (const [name, point, points] of exact) {
  test(`it is exact for ${name}`, () => {
    assert.is(predicted(point, known(...points)), Math.round(truth(point).peakMemoryBytes / MiB))
  })
}

test('without a line yet it is what the point below takes: the first step up is taken', () => {
  assert.is(predicted(at(2), known(at(1))), truth(at(1)).peakMemoryBytes / MiB)
  assert.is(predictedMisfit(at(1), known(), bounds), undefined)
})

test('the device has a budget of its own, and one that does not tell refuses nothing', () => {
  const onDevice = (point: SearchPoint, deviceMemoryBytes: number | null): MeasuredPoint => ({
    ...truth(point),
    deviceMemoryBytes,
  })
  const measured = (...bytes: (number | null)[]): Measured => ({
    points: [onDevice(at(1), bytes[0] ?? null), onDevice(at(2), bytes[1] ?? null)],
    trainingAlone: null,
  })
  const budget = { memoryBudgetBytes: 2 ** 40, deviceBudgetBytes: 500 * MiB }
  assert.match(
    predictedMisfit(at(4), measured(200 * MiB, 320 * MiB), budget) ?? '',
    /560 MiB of the device's memory, over the 500 MiB/,
  )
  assert.is(predictedMisfit(at(3), measured(200 * MiB, 320 * MiB), budget), undefined)
  assert.is(predictedMisfit(at(8), measured(null, null), budget), undefined)
})

test('what memory did not hold speaks against everything that is larger, and against nothing smaller', () => {
  const burst: Measured = {
    points: [truth(at(1)), { ...truth(at(4, 2)), fits: false }],
    trainingAlone: null,
  }
  const against = (point: SearchPoint) => memoryObjection(point, burst, plainBounds)
  assert.match(against(at(8, 2)) ?? '', /memory ran out with 4 at once in batches of 2$/)
  assert.match(against(at(4, 4, true)) ?? '', /memory ran out/)
  assert.is(against(at(2, 2)), undefined)
  assert.is(against(at(8, 1)), undefined)
})

test('the least points that would not fit are told, and none that is larger than another of them', () => {
  const measured = known(at(1), at(2), at(2, 2))
  const budget = { ...plainBounds, memoryBudgetBytes: 320 * MiB }
  const found = beyondMemory(measured, space, budget, 1)
  const inAll = found.map(({ point }) => `${point.threads}x${point.batch}${point.training ? '+' : ''}`)
  // 120 + threads * (30 + 4 * batch) is over 320 from here on; any trainer takes 300 beside at least 154.
  assert.ok(inAll.includes('6x1') && inAll.includes('5x4') && inAll.includes('4x8'), inAll.join())
  assert.ok(
    inAll.some(text => text.startsWith('1x1+')),
    inAll.join(),
  )
  assert.not(inAll.includes('7x1') || inAll.includes('6x2') || inAll.includes('2x1+'), inAll.join())
  assert.match(found[0]?.why ?? '', /it would take \d+ MiB, over the budget of 320 MiB/)
})

test.run()
