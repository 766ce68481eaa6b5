import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { functionKinds } from '../../runtime/cli/function-templates.ts'
import { starterModel } from '../../runtime/cli/starter-model.ts'
import { packageRoot } from '../../runtime/core/package-root.ts'

const test = suite('cli/new')
const run = promisify(execFile)

/** An operator's project: the package as it is published, with everything that it depends on beside it. */
let project: string
const corun = (...args: string[]) =>
  run(process.execPath, [join(project, 'node_modules/corun/dist/main.js'), ...args], { cwd: project })

test.before(async () => {
  project = await mkdtemp(join(tmpdir(), 'corun-test-'))
  const modules = join(project, 'node_modules')
  await mkdir(modules)
  await writeFile(join(project, 'package.json'), '{"type":"module"}')
  for (const name of await readdir(join(packageRoot, 'node_modules'))) {
    if (!name.startsWith('.') && name !== 'corun')
      await symlink(join(packageRoot, 'node_modules', name), join(modules, name))
  }
  await run(process.execPath, [join(packageRoot, 'scripts/build-types.mjs')])
  const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', project]
  const { stdout } = await run('npm', pack, { cwd: packageRoot })
  await run('tar', ['-xf', stdout.trim(), '-C', project], { cwd: project })
  await run('mv', [join(project, 'package'), join(modules, 'corun')])
})
test.after(() => rm(project, { recursive: true, force: true }))

test('every kind is written by the installed package, and it says what to try', async () => {
  for (const kind of functionKinds) {
    const { stdout } = await corun('new', `my-${kind}`, '--kind', kind)
    assert.match(stdout, join(project, 'functions', `my-${kind}`, 'function.ts'))
    assert.match(stdout, `/fn/my-${kind}`)
  }
  const { stdout } = await corun('new', 'plain', '--json')
  assert.is(JSON.parse(stdout).kind, 'json')
})

test('all of them are deployed as they stand', async () => {
  const { stdout } = await corun('functions', '--json')
  const { functions } = JSON.parse(stdout) as {
    functions: { name: string; state: string; lastError?: unknown }[]
  }
  assert.equal(
    functions.map(({ name, state, lastError }) => [name, state, lastError]),
    ['my-fetch', 'my-image-classifier', 'my-json', 'my-retraining', 'plain'].map(name => [
      name,
      'ready',
      undefined,
    ]),
  )
})

for (const resolution of ['nodenext', 'bundler']) {
  test(`all of them pass type checking with moduleResolution ${resolution}, libraries checked too`, async () => {
    const strict = { strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true }
    const module = resolution === 'bundler' ? 'esnext' : resolution
    const compilerOptions = {
      ...strict,
      module,
      moduleResolution: resolution,
      target: 'es2023',
      noEmit: true,
      skipLibCheck: false,
    }
    const file = join(project, `tsconfig.${resolution}.json`)
    await writeFile(file, JSON.stringify({ compilerOptions, include: ['functions'] }))
    const tsc = join(packageRoot, 'node_modules/typescript/bin/tsc')
    const { stdout } = await run(process.execPath, [tsc, '-p', file]).catch(error => error)
    assert.is(stdout, '')
  })
}

test("types that do not fit are found in an author's function", async () => {
  const folder = join(project, 'wrong')
  await mkdir(folder)
  await writeFile(
    join(folder, 'function.ts'),
    `import { defineFunction } from 'corun'
     import { z } from 'zod'
     export default defineFunction({ input: z.object({ n: z.number() }), handler: ({ m }) => m })`,
  )
  const compilerOptions = {
    strict: true,
    module: 'nodenext',
    target: 'es2023',
    noEmit: true,
    skipLibCheck: true,
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  const tsc = join(packageRoot, 'node_modules/typescript/bin/tsc')
  const { stdout } = await run(process.execPath, [tsc, '-p', folder]).catch(error => error)
  assert.match(stdout, /function\.ts.*Property 'm' does not exist/)
})

const refused: [string, string[], RegExp][] = [
  ['a bad name', ['Big'], /"Big" is no name of a function; expected small letters/],
  [
    'an unknown kind',
    ['a', '--kind', 'cobol'],
    /--kind is "cobol"; expected json, fetch, image-classifier, retraining/,
  ],
  ['a name that is taken', ['plain'], /functions\/plain is there already/],
  ['a name that a single file has', ['single'], /functions\/single\.ts is there already/],
  ['no name', [], /NAME/],
]
for (const [what, args, message] of refused) {
  test(`${what} is wrong use, and nothing is written`, async () => {
    await writeFile(join(project, 'functions/single.ts'), '')
    const { code, stderr } = await corun('new', ...args).catch(error => error)
    assert.is(code, 2)
    assert.match(stderr, message)
    assert.not(existsSync(join(project, 'functions/a')))
    assert.not(existsSync(join(project, 'functions/single')))
    await rm(join(project, 'functions/single.ts'))
  })
}

for (const command of [['bench', 'functions'], ['demo']]) {
  test(`corun ${command[0]} of an installed package says that it needs a checkout, and fails`, async () => {
    const { code, stderr, stdout } = await corun(...command).catch(error => error)
    assert.is(code, 1)
    assert.is(stdout, '')
    assert.match(
      stderr,
      new RegExp(`^corun: needs-checkout: corun ${command[0]} runs in a clone of its repository`),
    )
    assert.match(stderr, /npm ci/)
    assert.not.match(stderr, /at .*:\d+:\d+/)
  })
}

test('the starter model tells dark from bright', async () => {
  const session = await InferenceSession.create(starterModel(8))
  const of = async (value: number) => {
    const pixels = new Tensor('float32', new Float32Array(3 * 8 * 8).fill(value), [1, 3, 8, 8])
    const { logits } = await session.run({ pixels })
    const [dark = 0, bright = 0] = Array.from(logits?.data ?? [], Number)
    return bright - dark
  }
  assert.ok((await of(0.1)) < 0)
  assert.ok((await of(0.9)) > 0)
  await session.release()
})

test.run()
