import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Provider } from '../../runtime/core/config.ts'
import { chooseProvider, type ProviderFacts } from '../../runtime/device/provider.ts'
import { testProvider } from '../../runtime/device/provider-test.ts'

const test = suite('device/provider')

interface Box {
  bundled?: string[]
  hardware?: string[]
  /** Those that fail their test, and how. */
  broken?: Record<string, string>
}
function facts({ bundled = [], hardware = [], broken = {} }: Box): ProviderFacts & { tested: string[] } {
  const tested: string[] = []
  return {
    tested,
    bundled: new Set(['cpu', ...bundled]),
    hasHardware: provider => hardware.includes(provider),
    test: async provider => {
      tested.push(provider)
      return broken[provider]
    },
  }
}

const gpu = { bundled: ['cuda', 'webgpu', 'tensorrt'], hardware: ['cuda', 'webgpu', 'tensorrt'] }
const cases: [string, Parameters<typeof chooseProvider>[0], Box, Provider, RegExp][] = [
  ['the CPU when it is asked for, whatever else there is', 'cpu', gpu, 'cpu', /asked for/],
  ['auto takes the fastest that works', 'auto', gpu, 'tensorrt', /correctly/],
  [
    'auto goes on to the next when one fails its test',
    'auto',
    { ...gpu, broken: { tensorrt: 'no driver' } },
    'cuda',
    /correctly/,
  ],
  [
    'auto takes the CPU when all fail, and says how each did',
    'auto',
    { ...gpu, broken: { tensorrt: 'no driver', cuda: 'wrong result', webgpu: 'SIGSEGV' } },
    'cpu',
    /tensorrt: no driver; cuda: wrong result; .*webgpu: SIGSEGV/,
  ],
  [
    'auto never takes a software device',
    'auto',
    { bundled: ['webgpu'], hardware: [] },
    'cpu',
    /webgpu: no such device here/,
  ],
  ['auto leaves out what is not installed', 'auto', { hardware: ['cuda'] }, 'cpu', /cuda: not part of/],
  [
    'who asks for a provider gets it on a software device',
    'webgpu',
    { bundled: ['webgpu'] },
    'webgpu',
    /asked for, and ran a test/,
  ],
  [
    'one that was asked for and fails gives way to the CPU with the reason',
    'webgpu',
    { bundled: ['webgpu'], broken: { webgpu: 'no adapter' } },
    'cpu',
    /^webgpu: no adapter$/,
  ],
  ['one that was asked for and is not installed gives way, too', 'dml', {}, 'cpu', /^dml: not part of/],
]
for (const [name, choice, box, provider, reason] of cases) {
  test(name, async () => {
    const selection = await chooseProvider(choice, facts(box))
    assert.is(selection.provider, provider)
    assert.match(selection.reason, reason)
  })
}

test('no test runs for what is not installed, or has no hardware and was not asked for', async () => {
  const box = facts({ bundled: ['webgpu', 'cuda'], hardware: ['cuda'] })
  await chooseProvider('auto', box)
  assert.equal(box.tested, ['cuda'])
})

test('the CPU runs the test model in a child process correctly', async () => {
  assert.is(await testProvider('cpu'), undefined)
})

test('a provider that does not exist is told why, and nothing is thrown', async () => {
  // Not a provider at all: what a driver that is missing looks like from here.
  const why = await testProvider('nonsense' as Provider)
  assert.match(why ?? '', /^the test failed \(.+\)$/)
})

test.run()
