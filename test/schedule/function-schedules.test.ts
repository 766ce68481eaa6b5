import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { silentLogger } from '../../runtime/observe/log.ts'
import { type FunctionSchedules, openFunctionSchedules } from '../../runtime/schedule/function-schedules.ts'
import { missedTick, nextTicks } from '../../runtime/schedule/ticks.ts'
import { eventually } from '../eventually.ts'

const test = suite('schedule/function-schedules')

let dataDir: string
const opened: FunctionSchedules[] = []
test.before.each(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'corun-test-'))
})
test.after.each(async () => {
  for (const schedules of opened.splice(0)) schedules.close()
  // What a last tick notes may be under way.
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
})

const daily = { cron: '0 3 * * *', timeZone: 'UTC', catchUp: true }
const everySecond = { cron: '* * * * * *', catchUp: false }
const day = 24 * 3_600_000
const noon = Date.parse('2026-03-10T12:00:00Z')

/** `end` ends the call that goes on. */
async function open(now: number | (() => number) = Date.now) {
  const calls: { name: string; at: string; end: (outcome?: string) => void }[] = []
  const schedules = await openFunctionSchedules({
    dataDir,
    clock: { now: typeof now === 'number' ? () => now : now, monotonic: () => performance.now() },
    log: silentLogger,
    call: (name, at) => new Promise(end => calls.push({ name, at, end: (outcome = 'ok') => end(outcome) })),
  })
  opened.push(schedules)
  return { schedules, calls }
}

test('ticks are those of the time zone, over a change to summer time', () => {
  const berlin = { cron: '0 3 * * *', timeZone: 'Europe/Berlin', catchUp: false }
  const ticks = nextTicks(berlin, new Date('2026-03-27T12:00:00Z'), 2).map(tick => tick.toISOString())
  assert.equal(ticks, ['2026-03-28T02:00:00.000Z', '2026-03-29T01:00:00.000Z'])
})

test('of several that were missed the latest counts, and none of those that were seen', () => {
  const at = (text: string) => new Date(text)
  assert.is(
    missedTick(daily, at('2026-03-01T03:00:00Z'), at('2026-03-10T12:00:00Z'))?.toISOString(),
    '2026-03-10T03:00:00.000Z',
  )
  assert.is(missedTick(daily, at('2026-03-10T03:00:00Z'), at('2026-03-10T12:00:00Z')), undefined)
  assert.is(
    missedTick(daily, at('2026-03-09T04:00:00Z'), at('2026-03-10T03:00:00Z'))?.toISOString(),
    '2026-03-10T03:00:00.000Z',
  )
})

test('a tick that was missed while the box was off is made up for once, if the definition says so', async () => {
  const first = await open(noon)
  await first.schedules.set('report', daily)
  await first.schedules.set('other', { ...daily, catchUp: false })
  assert.is(first.calls.length, 0)
  first.schedules.close()
  const second = await open(noon + 3 * day)
  await second.schedules.set('report', daily)
  await second.schedules.set('other', { ...daily, catchUp: false })
  assert.equal(
    second.calls.map(({ name, at }) => [name, at]),
    [['report', '2026-03-13T03:00:00.000Z']],
  )
  second.schedules.close()
  const third = await open(noon + 3 * day + 1000)
  await third.schedules.set('report', daily)
  assert.is(third.calls.length, 0)
})

test('a schedule that is changed, or taken away and brought back, while the box is on has missed no tick', async () => {
  let now = noon
  const { schedules, calls } = await open(() => now)
  await schedules.set('report', daily)
  now += 3 * 3_600_000
  await schedules.set('report', { ...daily, cron: '0 14 * * *' })
  assert.is(calls.length, 0)
  assert.is(schedules.get('report').nextRuns[0], '2026-03-11T14:00:00.000Z')
  await schedules.set('report', undefined)
  now += 3 * day
  await schedules.set('report', daily)
  assert.is(calls.length, 0)
  await schedules.set('report', undefined)
  schedules.close()
  now += 3 * day
  const later = await open(() => now)
  // Deployed without a schedule at first, as it was left.
  await later.schedules.set('report', undefined)
  await later.schedules.set('report', daily)
  assert.is(later.calls.length, 0)
  later.schedules.close()
  now += 3 * day
  const last = await open(() => now)
  await last.schedules.set('report', daily)
  assert.equal(
    last.calls.map(({ at }) => at),
    ['2026-03-19T03:00:00.000Z'],
  )
})

test('the clock calls, at the tick and without overlap', async () => {
  const alive = setInterval(() => {}, 1000)
  const { schedules, calls } = await open()
  await schedules.set('often', everySecond)
  await eventually('a first call', () => calls.length === 1)
  assert.match(calls[0]?.at ?? '', /\.000Z$/)
  const [next = ''] = schedules.get('often').nextRuns
  await eventually('the next tick is over', () => Date.now() > Date.parse(next) + 100)
  assert.is(calls.length, 1)
  assert.ok(schedules.get('often').running)
  calls[0]?.end('handler-error')
  await eventually('a second call', () => calls.length === 2)
  assert.is(schedules.get('often').lastRun?.outcome, 'handler-error')
  clearInterval(alive)
})

test('a paused schedule has no next run, also after a restart, until it is resumed', async () => {
  const { schedules } = await open(noon)
  await schedules.set('report', daily)
  assert.equal(schedules.get('report').nextRuns[0], '2026-03-11T03:00:00.000Z')
  assert.is(schedules.get('report').nextRuns.length, 5)
  assert.equal((await schedules.pause('report')).nextRuns, [])
  const later = await open(noon + 3 * day)
  await later.schedules.set('report', daily)
  assert.is(later.calls.length, 0)
  assert.ok(later.schedules.get('report').paused)
  assert.is((await later.schedules.resume('report')).nextRuns.length, 5)
})

test('a function may be called like what every object has', async () => {
  const { schedules } = await open(noon)
  await schedules.set('constructor', daily)
  await schedules.pause('constructor')
  const later = await open(noon)
  await later.schedules.set('constructor', daily)
  assert.ok(later.schedules.get('constructor').paused)
})

test('a call by hand begins at once, and not twice at a time', async () => {
  const { schedules, calls } = await open(noon)
  await schedules.set('report', daily)
  assert.ok((await schedules.run('report')).running)
  assert.is(calls[0]?.at, '2026-03-10T12:00:00.000Z')
  const refused = await schedules.run('report').catch((error: { code: string }) => error.code)
  assert.is(refused, 'schedule-conflict')
  calls[0]?.end()
  await eventually('it has ended', () => schedules.get('report').lastRun?.outcome === 'ok')
})

test('a schedule that was removed is unknown', async () => {
  const { schedules } = await open(noon)
  await schedules.set('report', daily)
  await schedules.set('report', undefined)
  assert.equal(schedules.list(), [])
  assert.throws(
    () => schedules.get('report'),
    (error: { code: string }) => error.code === 'unknown-schedule',
  )
})

test.run()
