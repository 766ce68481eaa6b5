import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isNative, type PackageFacts } from '../../runtime/registry/native-package.ts'

const test = suite('registry/native-package')

const cases: [string, PackageFacts, boolean][] = [
  ['nothing said', {}, false],
  [
    'plain packages it needs',
    { dependencies: { lodash: '4' }, scripts: { install: 'node hello.js' } },
    false,
  ],
  ['a prebuilt part found by node-gyp-build', { dependencies: { 'node-gyp-build': '4' } }, true],
  ['bindings', { dependencies: { bindings: '1' } }, true],
  ['gypfile', { gypfile: true }, true],
  ['node-pre-gyp', { binary: { module_name: 'x' } }, true],
  ['napi', { napi: { name: 'x' } }, true],
  ['a part for each platform', { optionalDependencies: { '@img/sharp-linux-x64': '1' } }, true],
  ['other optional packages', { optionalDependencies: { fsevents: '2' } }, false],
  ['compiled when it is installed', { scripts: { install: 'node-gyp rebuild' } }, true],
]
for (const [name, facts, expected] of cases) {
  test(`a package with ${name} ${expected ? 'is' : 'is not'} native`, () =>
    assert.is(isNative(facts), expected))
}

test.run()
