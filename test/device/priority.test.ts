import { spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findLowPriority, type LowPriority, withLowPriority } from '../../runtime/device/priority.ts'

const test = suite('device/priority')

const cases: [LowPriority, string[]][] = [
  ['idle-class', ['chrt', '--idle', '0', 'node', 'trainer.js', '--x']],
  ['nice', ['nice', '-n', '19', 'node', 'trainer.js', '--x']],
  ['none', ['node', 'trainer.js', '--x']],
]
for (const [how, expected] of cases) {
  test(`with ${how} the command line is ${expected.join(' ')}`, () => {
    const { command, args } = withLowPriority({ command: 'node', args: ['trainer.js', '--x'] }, how)
    assert.equal([command, ...args], expected)
  })
}

/** Of /proc/self/stat (proc_pid_stat(5)), by what stands after the name in brackets: field 3 comes first. */
const field = (stat: string, number: number) =>
  Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[number - 3])
const nicenessField = 19
const policyField = 41
const idlePolicy = 5

test('a child that is started so really runs at the lowest priority there is', () => {
  const how = findLowPriority()
  const { command, args } = withLowPriority({ command: 'cat', args: ['/proc/self/stat'] }, how)
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' })
  assert.is(status, 0)
  if (process.platform !== 'linux') return
  if (how === 'idle-class') assert.is(field(stdout, policyField), idlePolicy)
  else assert.is(field(stdout, nicenessField), 19)
})

test('niceness works by itself where there is no idle class', () => {
  const { command, args } = withLowPriority({ command: 'cat', args: ['/proc/self/stat'] }, 'nice')
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' })
  assert.is(status, 0)
  if (process.platform === 'linux') assert.is(field(stdout, nicenessField), 19)
})

test.run()
