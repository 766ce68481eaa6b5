import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { observeRun, predictFinishMs, type ServiceTime } from '../../runtime/dispatch/service-time.ts'

const test = suite('dispatch/service-time')

const seen = (runs: readonly { ms: number; size: number }[]): ServiceTime | undefined =>
  runs.reduce<ServiceTime | undefined>(observeRun, undefined)
const steady = (ms: number, size = 1, count = 40) => seen(Array(count).fill({ ms, size }))
const near = (found: number | undefined, right: number) =>
  assert.ok(Math.abs((found ?? NaN) - right) < 1e-6 * Math.max(1, right), `${found}, expected ${right}`)

test('a steady run time is its mean, without variance', () => {
  const time = steady(20)
  near(time?.meanMs, 20)
  near(time?.variance, 0)
  near(time?.runMs, 20)
})

test('requests of a batch share its slot time, but each waits for the whole run', () => {
  const time = steady(40, 4)
  near(time?.meanMs, 10)
  near(time?.runMs, 40)
})

test('a cold first run is forgotten after some runs', () => {
  const time = seen([{ ms: 1000, size: 1 }, ...Array(60).fill({ ms: 10, size: 1 })])
  assert.ok((time?.meanMs ?? 99) < 15, `${time?.meanMs}`)
})

const calm = { waiting: [], running: [], slots: 2, own: steady(10) }

test('with nothing ahead it takes one run', () => near(predictFinishMs(calm), 10))

test('what waits is worked off by all slots, what runs is half done', () => {
  const service = steady(30)
  near(predictFinishMs({ ...calm, waiting: [{ service, count: 4 }] }), 4 * 15 + 10)
  near(predictFinishMs({ ...calm, running: [{ service, count: 2 }] }), 15 + 10)
  near(predictFinishMs({ ...calm, slots: 0, waiting: [{ service, count: 1 }] }), 30 + 10)
})

test('functions whose time is not known yet count nothing', () => {
  near(predictFinishMs({ ...calm, waiting: [{ service: undefined, count: 9 }] }), 10)
})

test('uneven times are predicted on the safe side', () => {
  const own = seen(Array.from({ length: 50 }, (_, run) => ({ ms: run % 2 ? 5 : 15, size: 1 })))
  const predicted = predictFinishMs({ ...calm, own })
  assert.ok((predicted ?? 0) > 13 && (predicted ?? 99) < 17, `${predicted}`)
})

test('too few runs predict nothing', () => {
  assert.is(predictFinishMs({ ...calm, own: undefined }), undefined)
  assert.is(predictFinishMs({ ...calm, own: steady(10, 1, 2) }), undefined)
})

test.run()
