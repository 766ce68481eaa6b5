import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { silentLogger } from '../../runtime/observe/log.ts'
import type { Pool } from '../../runtime/pool/pool.ts'
import { createRegistry, type Registry, type RegistryChange } from '../../runtime/registry/registry.ts'
import { type Watch, watchFunctions } from '../../runtime/registry/watch.ts'
import { eventually } from '../eventually.ts'
import { fixturePool, plainModels, textOf } from '../pool/harness.ts'

const test = suite('registry/watch')

let folder: string
let functionsDir: string
let pool: Pool
let registry: Registry
let watch: Watch

test.before(() => {
  pool = fixturePool()
})
test.after(() => pool.close())
test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  functionsDir = join(folder, 'functions')
  await write('a/function.ts', `import { word } from './word.ts'\nexport default () => new Response(word)`)
  await write('a/word.ts', `export const word = 'first'`)
  registry = createRegistry({
    functionsDir,
    dataDir: join(folder, 'data'),
    pool,
    models: plainModels,
    log: silentLogger,
  })
  await registry.start()
})
test.after.each(async () => {
  await watch?.close()
  await rm(folder, { recursive: true, force: true })
})

const start = async (rescanMs = 3_600_000) => {
  watch = watchFunctions({ registry, functionsDir, log: silentLogger, rescanMs })
  await watch.ready
}
async function write(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(functionsDir, path)), { recursive: true })
  await writeFile(join(functionsDir, path), content)
}
/** Resolves with the next change of the kind, after `act`. */
async function next(type: RegistryChange['type'], act: () => Promise<unknown>): Promise<RegistryChange> {
  const seen: RegistryChange[] = []
  const stop = registry.onChange(change => {
    if (change.type === type) seen.push(change)
  })
  try {
    await act()
    await eventually(`something is ${type}`, () => seen.length > 0)
  } finally {
    stop()
  }
  return seen[0] as RegistryChange
}
/** Until what is wrong with the function is this: a look may come while its file is half written, and finds it empty. */
async function refused(name: string, message: RegExp, act: () => Promise<unknown>) {
  await act()
  await eventually(`it is refused with ${message}`, () =>
    message.test(registry.get(name)?.lastError?.message ?? ''),
  )
  return registry.get(name)?.lastError
}
/** A folder that is there at once, with this file in it. */
async function dropIn(path: string, file: string, content: string): Promise<void> {
  const made = await mkdtemp(join(folder, 'made-'))
  await writeFile(join(made, file), content)
  await mkdir(dirname(path), { recursive: true })
  await rename(made, path)
}
async function answer(name = 'a'): Promise<string> {
  const deployment = registry.deployed(name)
  const request = { requestId: 'r', method: 'GET', url: 'http://box/', headers: [], body: new Uint8Array() }
  return textOf(await pool.run<'invoke'>({ type: 'invoke', deployment, remainingMs: 60_000, request }))
}

test('what a bundle is made of is watched, and nothing else', () => {
  assert.equal(
    [...registry.watchedFiles()].sort(),
    ['a/function.ts', 'a/word.ts'].map(path => join(functionsDir, path)),
  )
})

test('a file that a function imports is live when it is saved', async () => {
  await start()
  await next('deployed', () => write('a/word.ts', `export const word = 'second'`))
  assert.is(await answer(), 'second')
})

test('so is one that an editor renames over it', async () => {
  await start()
  await next('deployed', async () => {
    await write('a/word.ts~', `export const word = 'third'`)
    await rename(join(functionsDir, 'a/word.ts~'), join(functionsDir, 'a/word.ts'))
  })
  assert.is(await answer(), 'third')
})

test('a folder that is dropped in is live, and one that is taken away is unknown', async () => {
  await start()
  await next('deployed', () =>
    dropIn(join(functionsDir, 'b'), 'function.ts', `export default () => new Response('new')`),
  )
  assert.is(await answer('b'), 'new')
  const removed = await next('removed', () => rm(join(functionsDir, 'b'), { recursive: true }))
  assert.equal(removed, { type: 'removed', name: 'b' })
  assert.throws(() => registry.deployed('b'), /there is no function "b"/)
})

test('a file that does not build is told with its line, the last good one serves, and the repair is live', async () => {
  await start()
  const lastError = await refused('a', /word\.ts:2:/, () => write('a/word.ts', `\nexport const word = {{`))
  assert.is(registry.get('a')?.state, 'ready')
  assert.is(lastError?.code, 'build-failed')
  assert.is(lastError?.file, join(functionsDir, 'a/word.ts'))
  assert.is(lastError?.line, 2)
  assert.is(await answer(), 'first')
  await next('deployed', () => write('a/word.ts', `export const word = 'repaired'`))
  assert.is(registry.get('a')?.lastError, undefined)
  assert.is(await answer(), 'repaired')
})

test('an import that is missing is found when it comes', async () => {
  await start()
  await refused('a', /later\.ts/, () =>
    write('a/function.ts', `import { word } from './later.ts'\nexport default () => new Response(word)`),
  )
  await next('deployed', () => write('a/later.ts', `export const word = 'came'`))
  assert.is(await answer(), 'came')
})

test('a package that is installed meanwhile is found from time to time', async () => {
  await start(20)
  await refused('a', /late/, () =>
    write('a/function.ts', `import word from 'late'\nexport default () => new Response(word)`),
  )
  await next('deployed', () =>
    dropIn(join(folder, 'node_modules', 'late'), 'index.js', `module.exports = 'installed'`),
  )
  assert.is(await answer(), 'installed')
})

test('a throw while the module loads is told with the line that threw', async () => {
  await start()
  const lastError = await refused('a', /no luck/, () =>
    write('a/word.ts', `export const word = ''\n\nthrow new Error('no luck')`),
  )
  assert.is(lastError?.code, 'invalid-definition')
  assert.is(lastError?.file, join(functionsDir, 'a/word.ts'))
  assert.is(lastError?.line, 3)
})

test('a definition that is refused is told with the line of its export', async () => {
  await start()
  const lastError = await refused('a', /timeoutMs/, () =>
    write('a/function.ts', `\n\nexport default { timeoutMs: 'soon', handler() {} }`),
  )
  assert.equal([lastError?.file, lastError?.line], [join(functionsDir, 'a/function.ts'), 3])
})

test('what nobody is told of is found from time to time', async () => {
  // Without events, as on a network file system.
  await write('a/word.ts', `export const word = 'unseen'`)
  await next('deployed', () => registry.refresh())
  assert.is(await answer(), 'unseen')
})

test('a look at what has not changed deploys nothing', async () => {
  const seen: RegistryChange[] = []
  registry.onChange(change => seen.push(change))
  await registry.refresh()
  await registry.refresh(new Set([join(functionsDir, 'a/word.ts')]), { retry: true })
  assert.equal(seen, [])
})

test('a request that was admitted before its function was removed is answered', async () => {
  const admitted = registry.acquire('a')
  await rm(join(functionsDir, 'a'), { recursive: true })
  await registry.refresh()
  assert.throws(() => registry.acquire('a'), /there is no function "a"/)
  assert.is(registry.acquire('a', admitted.deployment).deployment, admitted.deployment)
})

test.run()
