import { availableParallelism } from 'node:os'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cores, coresWithin } from '../../runtime/device/cores.ts'

const test = suite('device/cores')

for (const [what, quotas, expected] of [
  ['no quota', ['max 100000', undefined, ''], 8],
  ['two cores', ['200000 100000'], 2],
  ['a core and a half, rounded up', ['150000 100000'], 2],
  ['the tightest of several', ['max 100000', '400000 100000', '50000 100000'], 1],
  ['more than there are', ['6400000 100000'], 8],
  ['no quota of cgroup v1', ['-1 100000'], 8],
  ['what is no number', ['many few'], 8],
] as const) {
  test(`${what}: ${expected} of 8`, () => assert.is(coresWithin(8, quotas), expected))
}

test('this process may use at least one core, and no more than its affinity', () => {
  assert.ok(cores() >= 1 && cores() <= availableParallelism())
})

test.run()
