import { Writable } from 'node:stream'
import pino from 'pino'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CorunError } from '../../runtime/core/errors.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import { createSchedule } from '../../runtime/schedule/schedule.ts'

const test = suite('schedule')
const everySecond = '* * * * * *'

/** A logger whose lines can be waited for. */
function logOf() {
  const waiting: ((line: Record<string, unknown>) => void)[] = []
  const stream = new Writable({
    write(chunk, _, done) {
      waiting.shift()?.(JSON.parse(String(chunk)))
      done()
    },
  })
  return {
    log: pino(stream),
    next: () => new Promise<Record<string, unknown>>(resolve => waiting.push(resolve)),
  }
}

test('a tick starts the run of its function', async () => {
  const started = new Promise<string>(resolve => {
    const schedule = createSchedule({
      log: silentLogger,
      start: async name => {
        schedule.close()
        resolve(name)
      },
    })
    schedule.set('scene', everySecond)
    // The schedule's timers do not keep a process alive: this one does, until the tick.
    const alive = setInterval(() => {}, 1000)
    setImmediate(() => started.finally(() => clearInterval(alive)))
  })
  assert.is(await started, 'scene')
})

test('a tick while a run goes on is logged as skipped', async () => {
  const { log, next } = logOf()
  const line = next()
  const alive = setInterval(() => {}, 1000)
  const schedule = createSchedule({
    log,
    start: () => Promise.reject(new CorunError('retraining-conflict', 'that of "scene" is running')),
  })
  schedule.set('scene', everySecond)
  const { msg, code, level } = await line
  clearInterval(alive)
  schedule.close()
  assert.match(String(msg), 'skipped')
  assert.is(code, 'retraining-conflict')
  assert.is(level, 30)
})

test('the next run is listed, and setting another pattern or none replaces it', () => {
  const schedule = createSchedule({ log: silentLogger, start: async () => {} })
  schedule.set('scene', '0 3 * * *')
  const next = schedule.nextRun('scene')
  assert.is(new Date(next ?? '').getHours(), 3)
  assert.equal(schedule.list(), [{ name: 'scene', pattern: '0 3 * * *', nextRun: next }])
  schedule.set('scene', '30 4 * * *')
  assert.is(new Date(schedule.nextRun('scene') ?? '').getMinutes(), 30)
  schedule.set('scene', undefined)
  assert.is(schedule.nextRun('scene'), null)
  schedule.close()
})

test('a pattern that is none is refused by name, and the one before stays', () => {
  const schedule = createSchedule({ log: silentLogger, start: async () => {} })
  schedule.set('scene', '0 3 * * *')
  try {
    schedule.set('scene', 'every night')
    assert.unreachable()
  } catch (error) {
    assert.ok(error instanceof CorunError && error.code === 'invalid-definition')
    assert.match(error.message, '"every night"')
    assert.match(error.message, '"scene"')
  }
  assert.is(schedule.list()[0]?.pattern, '0 3 * * *')
  schedule.close()
  assert.equal(schedule.list(), [])
})

test.run()
