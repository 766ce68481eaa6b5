import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CorunError } from '../../runtime/core/errors.ts'
import { lockDataDirectory } from '../../runtime/state/data-lock.ts'

const test = suite('state/data-lock')
let folder = ''

test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-lock-'))
})
test.after.each(() => rm(folder, { recursive: true }))

const holderScript = `
  import { lockDataDirectory } from '${new URL('../../runtime/state/data-lock.ts', import.meta.url)}'
  await lockDataDirectory(process.argv[1], { url: 'http://127.0.0.1:1234' })
  process.send('locked')
  process.on('disconnect', () => process.exit())
`

/** A process that holds the lock of `folder`. */
async function startHolder() {
  const holder = spawn(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', holderScript, folder],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  )
  await once(holder, 'message')
  return holder
}

async function refusal(): Promise<CorunError | undefined> {
  return lockDataDirectory(folder, { url: 'http://127.0.0.1:1' }).then(
    () => undefined,
    error => {
      if (error instanceof CorunError) return error
      throw error
    },
  )
}

test('a second server is refused with the process and address of the first, until that is killed', async () => {
  const holder = await startHolder()
  const error = await refusal()
  assert.is(error?.code, 'data-in-use')
  assert.match(error?.message ?? '', `process ${holder.pid}`)
  assert.match(error?.message ?? '', 'http://127.0.0.1:1234')
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  assert.is(await refusal(), undefined)
})

test('a lock is free after its release, and nothing else is left', async () => {
  const lock = await lockDataDirectory(folder, { url: 'http://127.0.0.1:1' })
  await lock.setUrl('http://127.0.0.1:8080')
  assert.match(await readFile(join(folder, 'lock.json'), 'utf8'), '8080')
  assert.is((await refusal())?.code, 'data-in-use')
  await lock.release()
  assert.equal(await readdir(folder), [])
  assert.is(await refusal(), undefined)
})

test('a lock whose process id now belongs to another process is taken over', async () => {
  const lock = { pid: process.pid, url: 'u', startedAt: 't', processStart: '1' }
  await writeFile(join(folder, 'lock.json'), JSON.stringify(lock))
  assert.is(await refusal(), undefined)
})

test('a lock that cannot be read is told, and does not keep the starter waiting', async () => {
  await mkdir(join(folder, 'lock.json'))
  const error = await refusal()
  assert.is(error?.code, 'data-in-use')
  assert.match(error?.message ?? '', /cannot be read/)
})

test('claims of starters that were killed are removed, younger ones are not', async () => {
  const [old, young] = ['a', 'b'].map(digit =>
    join(folder, `lock.json.${digit.repeat(8)}-0000-4000-8000-000000000000`),
  )
  for (const file of [old, young]) await writeFile(file ?? '', '{}')
  const then = new Date(Date.now() - 3_600_000)
  await utimes(old ?? '', then, then)
  assert.is(await refusal(), undefined)
  assert.equal(
    (await readdir(folder)).sort().map(name => join(folder, name)),
    [join(folder, 'lock.json'), young],
  )
})

test('of many that start at once over a stale lock, one gets it', async () => {
  await writeFile(join(folder, 'lock.json'), 'torn')
  const refusals = await Promise.all(Array.from({ length: 20 }, refusal))
  assert.is(refusals.filter(error => error === undefined).length, 1)
})

test.run()
