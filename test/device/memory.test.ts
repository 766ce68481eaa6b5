import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { totalmem } from 'node:os'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { filesAround } from '../../runtime/device/cgroup.ts'
import {
  memoryBudgetBytes,
  memoryLimitBytes,
  peakResidentBytes,
  residentBytes,
} from '../../runtime/device/memory.ts'

const test = suite('device/memory')

const physical = 8_000_000_000
const cases: [string, (string | undefined)[], number][] = [
  ['no cgroup at all', [], physical],
  ['a file that cannot be read', [undefined], physical],
  ['no limit', ['max\n'], physical],
  ['a limit below the memory', ['2000000000\n'], 2_000_000_000],
  ['a limit above the memory', ['9000000000000\n'], physical],
  ['a limit of a cgroup around it', ['max\n', '3000000000\n', 'max\n'], 3_000_000_000],
  ['the tightest of several', ['4000000000', '3000000000', '5000000000'], 3_000_000_000],
  ['an empty file', ['\n'], physical],
  ['what is no number', ['many'], physical],
]
for (const [name, maxima, expected] of cases) {
  test(`${name} means ${expected} bytes`, () => assert.is(memoryLimitBytes(physical, maxima), expected))
}

test('a cgroup is under the limits of all that are around it', () => {
  assert.equal(filesAround('/', 'memory.max'), ['/sys/fs/cgroup/memory.max'])
  assert.equal(filesAround('/system.slice/corun.service', 'memory.max'), [
    '/sys/fs/cgroup/memory.max',
    '/sys/fs/cgroup/system.slice/memory.max',
    '/sys/fs/cgroup/system.slice/corun.service/memory.max',
  ])
})

test('the budget of this box is positive and at most 80 % of its memory', () => {
  const budget = memoryBudgetBytes()
  assert.ok(budget > 0 && budget <= totalmem() * 0.8, String(budget))
})

test('a process that holds more has more, and one that has ended has none', async () => {
  const held = 64 * 2 ** 20
  const code = `const held = Buffer.alloc(${held}, 1); process.stdout.write('up'); process.stdin.on('data', () => process.exit(held[0] - 1)) `
  const child = spawn(process.execPath, ['--eval', code], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  const { pid = 0 } = child
  assert.ok(residentBytes(pid) > held, String(residentBytes(pid)))
  child.stdin.write('end')
  await once(child, 'close')
  assert.is(residentBytes(pid), 0)
})

test('the peak of this process is no less than what it has now', () => {
  const now = residentBytes(process.pid)
  assert.ok(now > 2 ** 20)
  assert.ok(peakResidentBytes() >= now * 0.9)
})

test.run()
