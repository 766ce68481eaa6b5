import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  choosePriority,
  findPriority,
  nicenessForShare,
  type PriorityFacts,
  type TrainerPriority,
  withPriority,
} from '../../runtime/device/priority.ts'
import { eventually } from '../eventually.ts'

const test = suite('device/priority')

const commands: [TrainerPriority['how'], niceness: number, string[]][] = [
  ['idle-class', 0, ['chrt', '--idle', '0', 'node', 'trainer.js', '--x']],
  ['idle-class', 9, ['nice', '-n', '9', 'chrt', '--idle', '0', 'node', 'trainer.js', '--x']],
  ['nice', 19, ['nice', '-n', '19', 'node', 'trainer.js', '--x']],
  ['nice', 0, ['node', 'trainer.js', '--x']],
  ['none', 0, ['node', 'trainer.js', '--x']],
]
for (const [how, niceness, expected] of commands) {
  test(`with ${how} ${niceness} the command line is ${expected.join(' ')}`, () => {
    const { command, args } = withPriority(
      { command: 'node', args: ['trainer.js', '--x'] },
      { how, niceness },
    )
    assert.equal([command, ...args], expected)
  })
}

const shares: [share: number, contenders: number, niceness: number][] = [
  // Weights of the kernel's table, 1024 at nice 0: 110 at 10 is 9.7 % beside one thread, 137 at 9 is 11.8 %.
  [0.1, 1, 9],
  [0.097, 1, 9],
  [0.09, 1, 10],
  [0.1, 2, 6],
  [0.5, 1, 0],
  [0.99, 1, 0],
  [0.0001, 1, 19],
]
for (const [share, contenders, niceness] of shares) {
  test(`${share} of a core beside ${contenders} threads takes nice ${niceness}`, () =>
    assert.is(nicenessForShare(share, contenders), niceness))
}

const linux: PriorityFacts = {
  share: 0.05,
  contenders: 1,
  idleClass: true,
  nice: true,
  holds: true,
  switches: () => true,
}
const choices: [what: string, facts: Partial<PriorityFacts>, TrainerPriority][] = [
  ['the idle class and bursts', {}, { how: 'idle-class', niceness: 9, switches: true, holds: true }],
  [
    'no floor: the idle class alone',
    { share: 0 },
    { how: 'idle-class', niceness: 0, switches: false, holds: true },
  ],
  [
    'a raise is refused: a weight that gives the share',
    { switches: () => false },
    { how: 'nice', niceness: 11, switches: false, holds: false },
  ],
  [
    'no idle class: the same',
    { idleClass: false },
    { how: 'nice', niceness: 11, switches: false, holds: false },
  ],
  [
    'no idle class and no floor',
    { idleClass: false, share: 0 },
    { how: 'nice', niceness: 19, switches: false, holds: true },
  ],
  [
    "a signal of the parent's death is not to be had: no holding",
    { holds: false },
    { how: 'idle-class', niceness: 9, switches: true, holds: false },
  ],
  ['neither', { idleClass: false, nice: false }, { how: 'none', niceness: 0, switches: false, holds: false }],
]
for (const [what, facts, expected] of choices) {
  test(`chosen: ${what}`, () => assert.equal(choosePriority({ ...linux, ...facts }), expected))
}

/** Of /proc/self/stat (proc_pid_stat(5)), by what stands after the name in brackets: field 3 comes first. */
const field = (stat: string, number: number) =>
  Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[number - 3])
const nicenessField = 19
const policyField = 41
const idlePolicy = 5

for (const share of [0, 0.05]) {
  test(`a child with a floor of ${share} really runs at the priority that was found`, () => {
    const priority = findPriority({ share, contenders: 1 })
    const { command, args } = withPriority({ command: 'cat', args: ['/proc/self/stat'] }, priority)
    const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' })
    assert.is(status, 0)
    if (process.platform !== 'linux') return
    assert.is(field(stdout, policyField) === idlePolicy, priority.how === 'idle-class')
    assert.is(field(stdout, nicenessField), priority.niceness)
  })
}

const held = findPriority({ share: 0, contenders: 1 })
if (!held.holds) console.log('skipped: no setpriv, which tells a process of the death of its parent')

;(held.holds ? test : test.skip)('a process that is stopped goes on when its parent is killed', async () => {
  const { command, args } = withPriority(
    {
      command: process.execPath,
      args: ['-e', "process.on('disconnect', () => process.exit()); process.send('up')"],
    },
    held,
  )
  const parent = spawn(
    process.execPath,
    [
      '-e',
      `const child = require('node:child_process').spawn(${JSON.stringify(command)}, ${JSON.stringify(args)}, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
       child.once('message', () => { child.kill('SIGSTOP'); process.stdout.write(String(child.pid)) })`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const [told] = await once(parent.stdout, 'data')
  parent.kill('SIGKILL')
  const pid = Number(told)
  assert.ok(pid > 0, String(told))
  await eventually('it is ended with its parent', () => !isAlive(pid))
})

/** A process that has ended and that nobody has waited for is none. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

test.run()
