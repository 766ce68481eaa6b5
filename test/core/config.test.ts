import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { configOptions, readConfig, safeOperatingPoints } from '../../runtime/core/config.ts'
import { CorunError } from '../../runtime/core/errors.ts'

const test = suite('core/config')

test('an option wins over its environment twin, which wins over the default', () => {
  assert.is(readConfig().port, 8080)
  assert.is(readConfig({}, { CORUN_PORT: '1234' }).port, 1234)
  assert.is(readConfig({ port: '99' }, { CORUN_PORT: '1234' }).port, 99)
  assert.is(readConfig({ port: undefined }, { CORUN_PORT: '' }).port, 8080)
})

test('folders become absolute', () => {
  assert.match(readConfig().functions, /^\/.*functions$/)
  assert.is(readConfig({ data: '/var/lib/corun' }).data, '/var/lib/corun')
})

test('the table of options names every key with its default', () => {
  const config = readConfig()
  for (const { key, default: text } of configOptions) {
    const value = config[key]
    if (typeof value === 'number' || ['host', 'provider', 'logLevel'].includes(key)) {
      assert.is(text, String(value), key)
    }
  }
  const known = new Set(configOptions.map(({ key }) => key))
  assert.equal(
    Object.keys(config).filter(key => !known.has(key as keyof typeof config)),
    [],
  )
})

const wrong: [string, Record<string, string>, RegExp][] = [
  ['a port above the range', { port: '70000' }, /port/],
  ['a budget of nothing', { memoryBudget: '1' }, /memoryBudget/],
  ['a short token', { adminToken: 'abc' }, /adminToken/],
  ['a public address without a token', { host: '0.0.0.0' }, /0\.0\.0\.0.*--admin-token/],
  ['a name that looks like loopback', { host: '127.evil.example' }, /admin token/],
]
for (const [name, options, message] of wrong) {
  test(`${name} is refused with what was expected`, () => {
    assert.throws(
      () => readConfig(options),
      (error: unknown) =>
        error instanceof CorunError && error.code === 'invalid-config' && message.test(error.message),
    )
  })
}

test('loopback addresses and public ones with a token are fine', () => {
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '::1'])
    assert.is(readConfig({ host }).host, host)
  assert.is(readConfig({ host: '0.0.0.0', adminToken: 'long enough' }).host, '0.0.0.0')
})

test('the safe default is a thread a core', () => {
  assert.is(safeOperatingPoints(6).alone.threads, 6)
})

test.run()
