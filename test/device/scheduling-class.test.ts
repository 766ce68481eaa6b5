import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findPriority } from '../../runtime/device/priority.ts'
import { openClassSwitch } from '../../runtime/device/scheduling-class.ts'
import { threadTimes } from '../../runtime/device/thread-times.ts'
import { until } from '../eventually.ts'

const test = suite('device/scheduling-class')

const { switches } = findPriority({ share: 0.05, contenders: 1 })
if (!switches) console.log('skipped: this user may not raise a process out of the idle class')
const testWhereAllowed = switches ? test : test.skip

/** A process with threads, which says when it is up and then does nothing; with `spin`, it computes. */
async function child(what: 'wait' | 'spin'): Promise<ChildProcess & { pid: number }> {
  const work = what === 'spin' ? 'for (;;);' : 'setInterval(() => {}, 1000)'
  const started = spawn(
    process.execPath,
    ['-e', `process.stdout.write('up'); setTimeout(() => { ${work} })`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  await once(started.stdout, 'data')
  return started as typeof started & { pid: number } // it has said something, so it runs
}

/** SCHED_IDLE is 5, of every thread: field 41 of proc_pid_stat(5). */
function policies(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map(thread => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[41 - 3])
  })
}

testWhereAllowed('every thread of a process changes its class and changes back', async () => {
  const process = await child('wait')
  const classes = openClassSwitch()
  assert.ok(await classes.set(process.pid, 'idle'))
  assert.ok(policies(process.pid).length > 2)
  assert.ok(policies(process.pid).every(policy => policy === 5))
  assert.ok(await classes.set(process.pid, 'other'))
  assert.ok(policies(process.pid).every(policy => policy === 0))
  classes.close()
  process.kill()
})

test('a process that has ended is refused', async () => {
  const process = await child('wait')
  process.kill()
  await once(process, 'close')
  const classes = openClassSwitch()
  assert.not.ok(await classes.set(process.pid, 'idle'))
  classes.close()
})

test('thread times grow with what a process computes, and end with it', async () => {
  if (threadTimes(process.pid) === undefined) return
  const spinning = await child('spin')
  // Where a thread ends just when it is looked at, the next look tells.
  const ranMs = () => threadTimes(spinning.pid)?.ranMs ?? Number.NaN
  let begun = Number.NaN
  try {
    await until(() => {
      begun = ranMs()
      return begun >= 0
    })
    await until(() => ranMs() >= begun + 50)
  } finally {
    spinning.kill('SIGKILL')
  }
  await once(spinning, 'close')
  assert.is(threadTimes(spinning.pid), undefined)
})

test.run()
