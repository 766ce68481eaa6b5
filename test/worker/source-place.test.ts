import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { placeOf, type SourcePlace } from '../../runtime/worker/source-place.ts'

const test = suite('worker/source-place')

const cases: [string, string[], SourcePlace][] = [
  [
    'the innermost frame',
    ['deep (/f/a/lib.ts:5:9)', '/f/a/function.ts:7:1'],
    { file: '/f/a/lib.ts', line: 5, column: 8 },
  ],
  [
    'a frame without a name, as a URL',
    ['file:///f/a%20b/function.mjs:2:1'],
    { file: '/f/a b/function.mjs', line: 2, column: 0 },
  ],
  [
    'not that of a package, of Node, or of the bundle',
    ['x (/f/node_modules/p/i.js:1:1)', 'y (node:fs:1:2)', '/d/builds/a.mjs:1:1', 'z (/f/a/function.ts:3:4)'],
    { file: '/f/a/function.ts', line: 3, column: 3 },
  ],
  ['nothing where there is none', ['ModuleJob.run (node:internal/modules/esm/module_job:325:25)'], {}],
]
for (const [name, frames, expected] of cases) {
  test(`the place of an error is ${name}`, () => {
    const error = new Error('no luck (at /not/this.ts:1:1)')
    error.stack = `Error: no luck\n${frames.map(frame => `    at ${frame}`).join('\n')}`
    assert.equal(placeOf(error, '/d/builds/a.mjs'), expected)
  })
}

test('what is no error has no place', () => assert.equal(placeOf('text', '/b'), {}))

test.run()
