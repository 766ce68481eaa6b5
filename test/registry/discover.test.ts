import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CorunError } from '../../runtime/core/errors.ts'
import { discoverFunctions } from '../../runtime/registry/discover.ts'

const test = suite('registry/discover')

let folder: string
test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
})
test.after.each(() => rm(folder, { recursive: true, force: true }))

async function make(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), '')
  }
}
/** `name: file`, and `! entry` for what cannot be a function. */
async function found(): Promise<string[]> {
  const { sources, problems } = await discoverFunctions(folder)
  const names = sources.map(({ name, file }) => `${name}: ${file.slice(folder.length + 1)}`)
  return [...names, ...problems.map(({ entry }) => `! ${entry}`)]
}

const longest = `a${'b'.repeat(62)}`
const cases: [string, string[], string[]][] = [
  [
    'folders with a function file',
    ['a/function.ts', 'b/function.js', 'c/function.mjs'],
    ['a: a/function.ts', 'b: b/function.js', 'c: c/function.mjs'],
  ],
  ['single files', ['a.ts', 'b.js', 'c.mjs'], ['a: a.ts', 'b: b.js', 'c: c.mjs']],
  ['TypeScript before JavaScript', ['a/function.js', 'a/function.ts'], ['a: a/function.ts']],
  ['nothing that begins with _ or a dot', ['_lib.ts', '_lib/function.ts', '.git/function.ts', '.a.ts'], []],
  ['nothing in node_modules', ['node_modules/function.ts', 'node_modules/x/function.ts'], []],
  ['no folder without a function file', ['assets/picture.jpg', 'lib/index.ts'], []],
  ['no other files', ['package.json', 'README.md', 'types.d.ts', 'a.tsx'], []],
  ['a name of 63 letters', [`${longest}.ts`], [`${longest}: ${longest}.ts`]],
  [
    'that ill-named ones are none',
    ['Upper.ts', '9lives/function.ts', 'under_score.ts', 'a.b.ts', `${longest}c.ts`],
    ['! 9lives', '! a.b.ts', `! ${longest}c.ts`, '! under_score.ts', '! Upper.ts'],
  ],
  ['the folder of two twins', ['a.ts', 'a/function.ts'], ['a: a/function.ts', '! a.ts']],
  ['one file of two twins', ['a.js', 'a.ts'], ['a: a.js', '! a.ts']],
]
for (const [name, paths, expected] of cases) {
  test(`it finds ${name}`, async () => {
    await make(...paths)
    assert.equal(await found(), expected)
  })
}

test('a folder that is linked to is a function like any other', async () => {
  const elsewhere = await mkdtemp(join(tmpdir(), 'corun-test-'))
  await writeFile(join(elsewhere, 'function.ts'), '')
  await symlink(elsewhere, join(folder, 'linked'))
  await symlink(join(folder, 'nowhere'), join(folder, 'broken'))
  assert.equal(await found(), ['linked: linked/function.ts'])
  await rm(elsewhere, { recursive: true })
})

test('a retraining beside a function belongs to it, and paths refer to its folder', async () => {
  await make('a/function.ts', 'a/retrain.mjs', 'b.ts')
  const { sources } = await discoverFunctions(folder)
  assert.equal(
    sources.map(source => [source.folder, source.retraining]),
    [
      [join(folder, 'a'), join(folder, 'a', 'retrain.mjs')],
      [folder, undefined],
    ],
  )
})

test('problems say what is wrong and what is expected', async () => {
  await make('Upper.ts', 'a.js', 'a.ts')
  const { problems } = await discoverFunctions(folder)
  const messages = problems.map(({ error }) => error.message).join('\n')
  assert.match(messages, /"Upper" is no name of a function; expected small letters/)
  assert.match(messages, /function "a" is there twice; .*a\.js is used/)
})

test('a functions folder that does not exist is a matter of configuration', async () => {
  const error = await discoverFunctions(join(folder, 'nowhere')).catch(error => error)
  assert.instance(error, CorunError)
  assert.is(error.code, 'invalid-config')
})

test.run()
