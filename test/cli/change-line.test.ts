import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { changeLine } from '../../runtime/cli/change-line.ts'
import type { RegistryChange } from '../../runtime/registry/registry.ts'

const test = suite('cli/change-line')

const entry = { name: 'a', file: '/box/functions/a/function.ts', state: 'ready' as const }
// A line needs no more of a deployment than its id.
const deployment = { id: '0123456789abcdef' } as never
const lastError = { code: 'build-failed', message: 'function.ts:2:4: no\nfunction.ts:3:0: and no', at: '' }

const cases: [string, RegistryChange, string][] = [
  ['removed', { type: 'removed', name: 'a' }, '- a is removed'],
  ['live', { type: 'deployed', entry: { ...entry, deployment } }, '+ a is live (0123456789abcdef)'],
  [
    'broken, with a deployment that serves on, and the place of the error as editors count it',
    {
      type: 'failed',
      entry: { ...entry, deployment, lastError: { ...lastError, file: entry.file, line: 2, column: 4 } },
    },
    'x a serves on as 0123456789abcdef: build-failed\n  functions/a/function.ts:2:5 function.ts:2:4: no\n  function.ts:3:0: and no',
  ],
  [
    'broken from the start, nobody knows where',
    { type: 'failed', entry: { ...entry, lastError: { ...lastError, message: 'no' } } },
    'x a answers 503: build-failed\n  no',
  ],
]
for (const [name, change, expected] of cases) {
  test(`a function is ${name}`, () => assert.is(changeLine(change, '/box'), expected))
}

test.run()
