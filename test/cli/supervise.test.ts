import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type ServerProcess, startServer } from '../../scripts/demo/server-process.ts'
import { servingPid as servingPidOf } from '../../scripts/soak/box.ts'
import { eventually, until } from '../eventually.ts'

const test = suite('cli/supervise')

let folder: string
let server: ServerProcess

const start = () =>
  startServer([
    '--supervise',
    '--port',
    '0',
    '--data',
    join(folder, 'data'),
    '--functions',
    join(folder, 'functions'),
  ])
/** The process that holds the data directory, which is the one that serves. */
const servingPid = () => servingPidOf(join(folder, 'data'))
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
const restarts = () => server.log().split('is started again').length - 1

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  const write = async (name: string, source: string) => {
    await mkdir(join(folder, 'functions', name), { recursive: true })
    await writeFile(join(folder, 'functions', name, 'function.ts'), source)
  }
  await write('pid', `export default () => new Response(String(process.pid))`)
  await write(
    'abort',
    `export default () => { process.kill(process.pid, 'SIGABRT'); return new Promise(() => {}) }`,
  )
  await write(
    'slow',
    `import { existsSync } from 'node:fs'
    const fetch = async () => {
      while (!existsSync(${JSON.stringify(join(folder, 'end'))})) await new Promise(done => setTimeout(done, 5))
      return new Response('done')
    }
    export default { timeoutMs: 600_000, fetch }`,
  )
  server = await start()
})
test.after(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

const ask = async (name: string) => {
  let text = ''
  // The function is deployed some time after the port is open again.
  await eventually(`${name} answers`, async () => {
    // Each on a connection of its own: one that is kept open ends with the process.
    const response = await fetch(`${server.url}/fn/${name}`, { headers: { connection: 'close' } })
    text = await response.text()
    return response.status !== 404 && response.status !== 503
  })
  return text
}
const busy = async () => /corun_slots_busy [1-9]/.test(await (await fetch(`${server.url}/metrics`)).text())

test('the process that serves is not the supervisor', async () => {
  assert.is(await ask('pid'), String(await servingPid()))
  assert.is.not(await servingPid(), server.pid)
})

test('after a native crash who connects waits, and is answered by the next process', async () => {
  const before = await ask('pid')
  const lost = fetch(`${server.url}/fn/abort`).catch(() => 'lost')
  assert.is(await lost, 'lost')
  await until(() => restarts() === 1)
  // Not refused, though nobody serves yet.
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => fetch(`${server.url}/healthz`, { headers: { connection: 'close' } })),
  )
  assert.equal(
    answers.map(({ status }) => status),
    Array(5).fill(200),
  )
  const after = await ask('pid')
  assert.is.not(after, before)
  assert.is(after, String(await servingPid()))
})

test('a killed process leaves a data directory that the next one takes over', async () => {
  const killed = await servingPid()
  process.kill(killed, 'SIGKILL')
  await until(() => restarts() === 2)
  assert.is.not(await ask('pid'), String(killed))
})

test('the end of the supervisor is the end of the process that serves', async () => {
  const serving = Number(await ask('pid'))
  process.kill(server.pid, 'SIGKILL')
  await until(() => !isAlive(serving))
  await server.stop()
  server = await start()
  assert.ok(Number(await ask('pid')) > 0)
})

test('on SIGTERM requests in flight are answered, and the exit code is 0', async () => {
  const answer = ask('slow')
  await until(busy)
  const stopped = server.stop()
  await until(() => server.log().includes('requests in flight are answered'))
  await writeFile(join(folder, 'end'), '')
  assert.is(await stopped, 0)
  await rm(join(folder, 'end'))
  assert.is(await answer, 'done')
  server = await start()
})

test('a second signal does not wait', async () => {
  const stuck = fetch(`${server.url}/fn/slow`).catch(() => 'lost')
  await until(busy)
  process.kill(server.pid, 'SIGTERM')
  process.kill(server.pid, 'SIGINT')
  assert.is(await server.stop(), 1)
  await stuck
  server = await start()
})

test.run()
