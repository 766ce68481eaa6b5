import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock } from '../../runtime/core/clock.ts'
import type { TrainerCommand } from '../../runtime/core/trainer-messages.ts'
import { findPriority, type TrainerPriority, withPriority } from '../../runtime/device/priority.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import { createYielding, type YieldingOptions } from '../../runtime/yielding/yielding.ts'
import { until } from '../eventually.ts'

const test = suite('yielding/yielding')

const calm = { queued: 0, p95Ms: undefined, boundMs: undefined }
const none: TrainerPriority = { how: 'none', niceness: 0, switches: false, holds: false }
const open = (options: Partial<YieldingOptions>) =>
  createYielding({
    ...{ share: 0.05, threads: 1, priority: none, asks: false, pressure: () => calm },
    ...{ clock: systemClock, log: silentLogger, paceMs: 5, askMs: 1 },
    ...options,
  })
/** A clock that a test sets. */
const clockOf = (now: () => number) => ({ now, monotonic: now })

/** A trainer that keeps what it is told. */
function listener() {
  const told: TrainerCommand['type'][] = []
  return { told, pid: undefined, send: ({ type }: TrainerCommand) => void told.push(type) }
}

test('questions are answered at once while nobody waits', () => {
  const run = open({ asks: true }).follow({ paused: () => false })
  const trainer = listener()
  run.attach(trainer)
  for (let step = 0; step < 3; step += 1) run.event({ type: 'ask' })
  assert.equal(trainer.told, ['go', 'go', 'go'])
  run.detach()
  assert.is(run.report.how, 'asks')
  assert.is(run.report.bursts, 0)
})

test('while requests wait a step waits until its floor is due, and that is told', async () => {
  let queued = 0
  let now = 0
  let looks = 0
  const pressure = () => {
    looks += 1
    return { ...calm, queued }
  }
  const yielding = open({ asks: true, share: 0.5, pressure, clock: clockOf(() => now) })
  const run = yielding.follow({ paused: () => false })
  const trainer = listener()
  run.attach(trainer)
  run.event({ type: 'ask' })
  now = 20
  queued = 1
  run.event({ type: 'ask' })
  now = 39
  const before = looks
  await until(() => looks > before)
  assert.equal(trainer.told, ['go'], 'the second one waits')
  now = 40
  await until(() => trainer.told.length === 2)
  run.detach()
  assert.is(run.report.bursts, 1)
  assert.is(run.report.waitedMs, 20, 'as long as the step took')
  assert.is(run.report.share, 0.5)
  assert.is(yielding.totals().bursts, 1)
})

test('a paused trainer gets no answer, and its pause is no waiting', async () => {
  let paused = false
  let now = 0
  let looks = 0
  const options = { asks: true, share: 0.001, pressure: () => ({ ...calm, queued: 1 }) }
  const run = open({ ...options, clock: clockOf(() => now) }).follow({
    paused() {
      looks += 1
      return paused
    },
  })
  const trainer = listener()
  run.attach(trainer)
  run.event({ type: 'ask' })
  now = 10
  run.event({ type: 'ask' })
  now = 15
  await until(() => run.report.waitedMs === 5)
  paused = true
  now = 60_000
  const before = looks
  await until(() => looks > before + 3)
  assert.is(run.report.waitedMs, 5, 'the pause is not counted')
  assert.equal(trainer.told, ['go'])
  run.detach()
})

const priority = findPriority({ share: 0.5, contenders: 1 })
if (!priority.switches) console.log('skipped: this user may not raise a process out of the idle class')

;(priority.switches ? test : test.skip)(
  'a trainer that starves in the idle class is raised to the normal one, and put back by who takes it over',
  async () => {
    const { command, args } = withPriority(
      {
        command: process.execPath,
        args: ['-e', "process.stdout.write('up'); setTimeout(() => { for (;;); })"],
      },
      priority,
    )
    const trainer = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const closed = once(trainer, 'close')
    try {
      await once(trainer.stdout, 'data')
      const policy = () => {
        const stat = readFileSync(`/proc/${trainer.pid}/stat`, 'utf8')
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[41 - 3])
      }
      assert.is(policy(), 5)
      // One thread can never get half of what 64 would.
      const run = open({ priority, share: 0.5, threads: 64 }).follow({ paused: () => false })
      run.attach({ pid: trainer.pid, send: () => {} })
      await until(() => policy() === 0)
      run.detach()
      assert.is(run.report.bursts, 1)
      assert.is(run.report.how, 'idle-class-with-bursts')
      assert.is(run.report.note, null)
      assert.is(policy(), 0, 'a burst that nobody looks after any more goes on')
      const next = open({ priority, share: 0.001, threads: 1 }).follow({ paused: () => false })
      next.attach({ pid: trainer.pid, send: () => {} }, true)
      await until(() => policy() === 5)
      next.detach()
    } finally {
      // Left behind it would loop for ever.
      trainer.kill('SIGKILL')
      await closed
    }
  },
)

const quiet = findPriority({ share: 0, contenders: 1 })
if (!quiet.holds) console.log('skipped: no setpriv, without which a trainer is not held')

;(quiet.holds ? test : test.skip)(
  'a trainer is held from its first word on while requests leave it no room, and hears what it is told',
  async () => {
    const trainer = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' })
    await once(trainer, 'spawn')
    const stopped = () => / T /.test(readFileSync(`/proc/${trainer.pid}/stat`, 'utf8'))
    let p95Ms = 5
    const pressure = () => ({ queued: 0, p95Ms, boundMs: 10 })
    const yielding = open({ priority: quiet, share: 0, crowdedFrom: 2, pressure })
    const run = yielding.follow({ paused: () => false })
    try {
      yielding.running(2)
      run.attach({ pid: trainer.pid, send: () => {} })
      assert.not.ok(stopped(), 'it has not said anything')
      run.event({ type: 'evaluating' })
      await until(stopped)
      for (const command of ['pause', 'stop'] as const) {
        run.told(command)
        await until(() => !stopped())
        run.told('resume')
        await until(stopped)
      }
      yielding.running(1)
      await until(() => !stopped())
      yielding.running(2)
      await until(stopped)
      await until(() => run.report.waitedMs > 0)

      yielding.running(1)
      await until(() => !stopped())
      p95Ms = 10.5
      await until(stopped)
      yielding.running(0)
      await until(() => !stopped())
      yielding.running(1)
      await until(stopped)
      p95Ms = 5
      await until(() => !stopped())
    } finally {
      run.detach()
      await until(() => !stopped())
      trainer.kill('SIGKILL')
    }
  },
)

test('where the floor cannot be kept by bursts, the report says what is done instead', () => {
  const noteOf = (priority: TrainerPriority, share = 0.05) =>
    open({ priority, share }).follow({ paused: () => false }).report.note
  assert.match(noteOf({ how: 'nice', niceness: 11, switches: false, holds: false }) ?? '', 'RLIMIT_NICE of 9')
  assert.match(noteOf({ how: 'idle-class', niceness: 0, switches: false, holds: false }) ?? '', 'starve')
  assert.is(noteOf({ how: 'idle-class', niceness: 0, switches: false, holds: false }, 0), null)
})

test.run()
