import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { buildModule } from '../../runtime/registry/build.ts'

const test = suite('registry/packages')

let folder: string
test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
})
test.after.each(() => rm(folder, { recursive: true, force: true }))

async function write(files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
}
/** What the module exports after it was built and imported. */
async function imported(path: string): Promise<{ default: unknown; inputs: string[] }> {
  const { file, inputs } = await buildModule(join(folder, path), join(folder, 'builds'), 'a')
  const module = (await import(pathToFileURL(file).href)) as { default: unknown }
  return { default: module.default, inputs: inputs.map(input => input.slice(folder.length + 1)) }
}

test('packages are found from the function upward: its own version first, then one beside the folder of functions', async () => {
  await write({
    'node_modules/word/index.js': `module.exports = 'above'`,
    'functions/a/node_modules/word/index.js': `module.exports = 'own'`,
    'functions/a/function.ts': `export { default } from 'word'`,
    'functions/b/function.ts': `export { default } from 'word'`,
  })
  assert.is((await imported('functions/a/function.ts')).default, 'own')
  assert.is((await imported('functions/b/function.ts')).default, 'above')
})

test('a package is part of the bundle, so that an update of it is a change of the function', async () => {
  await write({
    'node_modules/word/index.js': `module.exports = 'first'`,
    'a/function.ts': `export { default } from 'word'`,
  })
  assert.equal((await imported('a/function.ts')).inputs, ['node_modules/word/index.js', 'a/function.ts'])
})

test('a package finds files beside itself, in either module system, and so does a function', async () => {
  await write({
    'node_modules/cjs/index.js': `module.exports = require('fs').readFileSync(require('path').join(__dirname, 'a.txt'), 'utf8')`,
    'node_modules/cjs/a.txt': 'cjs',
    'node_modules/esm/package.json': `{"name":"esm","type":"module","main":"index.js"}`,
    'node_modules/esm/index.js': `import { readFileSync } from 'node:fs'\nexport default readFileSync(new URL('./a.bin', import.meta.url), 'utf8')`,
    'node_modules/esm/a.bin': 'esm',
    'a/function.ts': `import { readFileSync } from 'node:fs'
      import { dirname } from 'node:path'
      import { fileURLToPath } from 'node:url'
      import cjs from 'cjs'
      import esm from 'esm'
      const __dirname = dirname(fileURLToPath(import.meta.url))
      export default [cjs, esm, readFileSync(__dirname + '/own.txt', 'utf8')]`,
    'a/own.txt': 'own',
  })
  assert.equal((await imported('a/function.ts')).default, ['cjs', 'esm', 'own'])
})

test('WebAssembly is imported as bytes', async () => {
  // The smallest module: the magic number and the version.
  const bytes = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)
  await write({ 'a/empty.wasm': bytes, 'a/function.ts': `export { default } from './empty.wasm'` })
  const { default: content, inputs } = await imported('a/function.ts')
  assert.equal(content, bytes)
  assert.equal(inputs.sort(), ['a/empty.wasm', 'a/function.ts'])
})

test('a native package is imported from the installation that the operator has', async () => {
  await write({
    'node_modules/native/package.json': `{"name":"native","version":"1.0.0","main":"index.js","dependencies":{"node-gyp-build":"4"}}`,
    // What such packages do: a path that only exists where they lie, made when they run.
    'node_modules/native/index.js': `module.exports = require(['.', 'build', 'part.js'].join('/'))`,
    'node_modules/native/build/part.js': `module.exports = 'native part'`,
    'a/function.ts': `export { default } from 'native'`,
  })
  const { default: part, inputs } = await imported('a/function.ts')
  assert.is(part, 'native part')
  assert.equal(inputs, ['a/function.ts'])
})

test('so is one that the operator names', async () => {
  await write({
    'package.json': `{"corun":{"external":["odd"]}}`,
    'node_modules/odd/index.js': `module.exports = require(['.', 'part.js'].join('/'))`,
    'node_modules/odd/part.js': `module.exports = 'odd part'`,
    'functions/a/function.ts': `export { default } from 'odd'`,
  })
  assert.is((await imported('functions/a/function.ts')).default, 'odd part')
})

test("Corun's own zod is not part of a bundle, and a copy that a function brings is", async () => {
  await write({
    'a/function.ts': `import { z } from 'zod'\nexport default z.string().parse('x')`,
    'b/node_modules/zod/package.json': `{"name":"zod","version":"0.0.1","main":"index.js"}`,
    'b/node_modules/zod/index.js': `exports.z = { own: true }`,
    'b/function.ts': `import { z } from 'zod'\nexport default z.own`,
  })
  const [a, b] = [await imported('a/function.ts'), await imported('b/function.ts')]
  assert.equal([a.default, b.default], ['x', true])
  assert.equal(a.inputs, ['a/function.ts'])
  assert.ok(b.inputs.includes('b/node_modules/zod/index.js'))
})

test.run()
