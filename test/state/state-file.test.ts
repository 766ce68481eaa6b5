import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { CorunError } from '../../runtime/core/errors.ts'
import { openState } from '../../runtime/state/state-file.ts'

const schema = z.object({ version: z.literal(1), names: z.array(z.string()) })
const empty = () => ({ version: 1 as const, names: [] as string[] })

const test = suite('state/state-file')
let folder = ''
let file = ''

test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-state-'))
  file = join(folder, 'state', 'names.json')
})
test.after.each(() => rm(folder, { recursive: true }))

async function refusal(promise: Promise<unknown>): Promise<CorunError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof CorunError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

test('what was updated is there after opening again', async () => {
  const state = await openState(file, schema, empty())
  const result = await state.update(draft => draft.names.push('a'))
  assert.is(result, 1)
  assert.equal((await openState(file, schema, empty())).data.names, ['a'])
})

test('updates that are asked for at once all count, and leave one file', async () => {
  const state = await openState(file, schema, empty())
  const names = Array.from({ length: 50 }, (_, index) => `n${index}`)
  await Promise.all(names.map(name => state.update(draft => draft.names.push(name))))
  assert.equal((await openState(file, schema, empty())).data.names, names)
  assert.equal(await readdir(join(folder, 'state')), ['names.json'])
})

test('an update that throws, or cannot be written, changes nothing', async () => {
  const state = await openState(file, schema, empty())
  await state.update(draft => draft.names.push('kept'))
  const thrown = await state
    .update(draft => {
      draft.names.push('lost')
      throw new Error('no')
    })
    .catch((error: Error) => error.message)
  assert.is(thrown, 'no')
  assert.equal(state.data.names, ['kept'])

  await rm(join(folder, 'state'), { recursive: true })
  await writeFile(join(folder, 'state'), 'a file where the folder was')
  const refused = await state
    .update(draft => draft.names.push('lost'))
    .then(
      () => false,
      () => true,
    )
  assert.ok(refused)
  assert.equal(state.data.names, ['kept'])
})

test('data that a reader holds does not change under it', async () => {
  const state = await openState(file, schema, empty())
  const seen = state.data
  await state.update(draft => draft.names.push('later'))
  assert.equal(seen.names, [])
})

for (const [what, text] of [
  ['torn', '{"version":1,"names":["a"'],
  ['empty', ''],
  ['of another version', '{"version":2,"names":[]}'],
  ['of another shape', '{"version":1,"names":[7]}'],
  ['null', 'null'],
] as const) {
  test(`a file that is ${what} is refused by name and left as it is`, async () => {
    await (await openState(file, schema, empty())).update(() => {})
    await writeFile(file, text)
    const error = await refusal(openState(file, schema, empty()))
    assert.is(error.code, 'state-invalid')
    assert.ok(error.message.includes(file))
    assert.is(await readFile(file, 'utf8'), text)
  })
}

test('a write that fails leaves nothing beside the file, and the state is what it was', async () => {
  const state = await openState(file, schema, empty())
  // A folder cannot be replaced by a file.
  await mkdir(file)
  const code = await state.update(draft => draft.names.push('lost')).catch(error => error.code)
  assert.ok(['EISDIR', 'EEXIST', 'EPERM'].includes(code), code)
  assert.equal(await readdir(join(folder, 'state')), ['names.json'])
  assert.equal(state.data.names, [])
})

test('what a killed writer left beside the file is not read, and goes', async () => {
  await (await openState(file, schema, empty())).update(draft => draft.names.push('whole'))
  await writeFile(join(folder, 'state', '.names.json.tmp'), '{"version":1,"na')
  assert.equal((await openState(file, schema, empty())).data.names, ['whole'])
  assert.equal(await readdir(join(folder, 'state')), ['names.json'])
})

test.run()
