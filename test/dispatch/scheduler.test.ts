import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Clock, systemClock } from '../../runtime/core/clock.ts'
import { createScheduler, type OperatingState } from '../../runtime/dispatch/scheduler.ts'
import type { SlotLimits } from '../../runtime/dispatch/slot-queue.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import { until } from '../eventually.ts'

const test = suite('dispatch/scheduler')
let dataDir = ''
test.before.each(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'corun-scheduler-'))
})
test.after.each(() => rm(dataDir, { recursive: true, force: true }))

const operating = (slots: number, batch = 4, boundMs?: number): OperatingState => ({
  point: { slots, batch },
  boundMs,
  profiledAt: undefined,
})

async function open(
  state: OperatingState,
  { windowMs = 60_000, clock = systemClock }: { windowMs?: number; clock?: Clock } = {},
) {
  const applied: SlotLimits[] = []
  const scheduler = await createScheduler(
    state,
    { dataDir, pool: { slots: 4, batch: 8 }, clock, log: silentLogger, windowMs },
    ({ slots, batch }) => applied.push({ slots, batch }),
  )
  return { scheduler, applied }
}

test('limits are applied at the start and with each change of the operating point', async () => {
  const { scheduler, applied } = await open(operating(4))
  scheduler.operate(operating(2, 1))
  scheduler.operate(operating(2, 1))
  scheduler.operate(operating(4))
  assert.equal(applied, [
    { slots: 4, batch: 4 },
    { slots: 2, batch: 1 },
    { slots: 4, batch: 4 },
  ])
  scheduler.close()
})

test('memory that ran out lowers the ceiling, and the next start remembers', async () => {
  const { scheduler, applied } = await open(operating(4))
  scheduler.outOfMemory(4, 2)
  await until(() => applied.length === 2)
  scheduler.outOfMemory(1, 3)
  await until(() => applied.length === 3)
  assert.equal(applied.at(-1), { slots: 2, batch: 2 })
  scheduler.close()
  const again = await open(operating(4))
  assert.equal(again.applied, [{ slots: 2, batch: 2 }])
  assert.is(again.scheduler.view().reasons.length, 2)
  again.scheduler.operate({ ...operating(4), profiledAt: '2999-01-01T00:00:00.000Z' })
  assert.equal(again.applied.at(-1), { slots: 4, batch: 4 })
  again.scheduler.close()
})

test('run times over the bound shrink the slots, and another operating point is another promise', async () => {
  // Its time stands still, so that each look finds these runs in its window.
  const clock = { now: () => 0, monotonic: () => 0 }
  const { scheduler, applied } = await open(operating(3, 1, 10), { windowMs: 10, clock })
  for (let run = 0; run < 40; run += 1) scheduler.ran({ queueMs: 0, runMs: 50 })
  await until(() => applied.length >= 3)
  assert.equal(applied.slice(0, 3), [
    { slots: 3, batch: 1 },
    { slots: 2, batch: 1 },
    { slots: 1, batch: 1 },
  ])
  scheduler.operate(operating(2, 1, 10))
  assert.is(scheduler.view().heldBack, 0)
  assert.equal(applied.at(-1), { slots: 2, batch: 1 })
  scheduler.close()
})

test.run()
