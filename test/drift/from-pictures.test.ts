import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Deployment } from '../../runtime/core/deployment.ts'
import type { InvocationRequest } from '../../runtime/core/messages.ts'
import { createFromPictures } from '../../runtime/drift/from-pictures.ts'
import { createDriftMonitor, type DriftMonitor } from '../../runtime/drift/monitor.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import { createDeployment, createDeploymentModel } from './fixtures.ts'

const test = suite('drift/from-pictures')
const jpegStart = Buffer.from([0xff, 0xd8, 0xff])
const drift = { reference: 1000, from: 'pictures', falseAlarms: 1e-3 } as const
const model = createDeploymentModel()

let folder: string
let files: string[]
let monitor: DriftMonitor
test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  await mkdir(join(folder, 'pictures'))
  files = Array.from({ length: 300 }, (_, n) => join(folder, 'pictures', `${n}.jpg`))
  for (const [n, file] of files.entries())
    await writeFile(file, Buffer.concat([jpegStart, Buffer.from(`picture ${n}`)]))
  monitor = await createDriftMonitor({ dataDir: folder, log: silentLogger })
})
test.after.each(async () => {
  await monitor.close()
  await rm(folder, { recursive: true, force: true })
})

/** A version that says class 0 to two pictures of three, and 1 to the third. */
function setUp({
  room = () => true,
  onAsk = () => {},
}: {
  room?: () => boolean
  onAsk?: (nth: number) => void
} = {}) {
  const asked: InvocationRequest[] = []
  let deployment: Deployment = createDeployment(model, { drift })
  const made = createFromPictures({
    monitor,
    subject: () => ({ deployment, model: model.id, drift, files: async () => files }),
    async run(_, request) {
      if (!room()) return undefined
      asked.push(request)
      onAsk(asked.length)
      const nth = Number(
        new TextDecoder().decode(request.body.subarray(jpegStart.length)).slice('picture '.length),
      )
      return {
        deployment,
        reply: {
          ok: true,
          runMs: 1,
          result: {
            ...{ status: 200, headers: [], body: new Uint8Array() },
            said: [
              {
                model: model.id,
                version: model.sha256,
                predicted: nth % 3 ? 0 : 1,
                probability: 0.5 + (nth % 50) / 100,
              },
            ],
          },
        },
      }
    },
    log: silentLogger,
  })
  return {
    ...{ asked, made },
    become(sha256: string) {
      deployment = createDeployment({ ...model, sha256 }, { drift })
      deployment = { ...deployment, id: sha256 }
    },
  }
}
/** Requests that say one class alone. */
const requests = (count: number, predicted: (n: number) => number, version = model.sha256) => {
  for (let n = 0; n < count; n += 1) {
    const said = { predicted: predicted(n), probability: 0.5 + (n % 50) / 100 }
    monitor.observe('scene', { model: model.id, version, ...said }, drift)
  }
}

test('with the reference from pictures, requests are held against it from the first one on', async () => {
  const { made, asked } = setUp()
  requests(3, () => 0)
  await made.make('scene')
  assert.is(asked.length, 300)
  assert.equal(
    new Set(asked.map(({ method, headers }) => `${method} ${headers}`)),
    new Set(['POST content-type,image/jpeg']),
  )
  const view = monitor.get(model.id)
  assert.equal(view?.reference, { requests: 300, of: 300, from: 'pictures' })
  assert.is(view?.requests, 0)
  requests(200, n => (n % 3 ? 0 : 1))
  assert.is(monitor.get(model.id)?.level, 'stable')
  requests(100, () => 2)
  assert.is(monitor.get(model.id)?.level, 'drifted')
})

test('it survives a restart, and is not made again for the same version', async () => {
  const { made, asked } = setUp()
  await made.make('scene')
  await monitor.close()
  monitor = await createDriftMonitor({ dataDir: folder, log: silentLogger })
  assert.equal(monitor.get(model.id)?.reference, { requests: 300, of: 300, from: 'pictures' })
  const again = setUp()
  await again.made.make('scene')
  assert.equal([asked.length, again.asked.length], [300, 0])
})

test('another version makes its own, and one that is replaced meanwhile leaves none behind', async () => {
  const setup = setUp({ onAsk: nth => void (nth === 40 && setup.become('b'.repeat(64))) })
  await setup.made.make('scene')
  assert.is(monitor.get(model.id), undefined)
  assert.is(setup.asked.length, 40)
  await setup.made.make('scene')
  assert.is(monitor.get(model.id)?.version, 'b'.repeat(64))
})

test('pictures wait for room, and the end of the server does not wait for pictures', async () => {
  let tries = 0
  const { made, asked } = setUp({ room: () => ++tries > 2 })
  await made.make('scene')
  assert.is(asked.length, 300)
  const busy = setUp({ room: () => false })
  busy.become('c'.repeat(64))
  const making = busy.made.make('scene')
  await busy.made.close()
  await making
  assert.is(monitor.get(model.id)?.version, model.sha256)
})

test('too few pictures leave the reference to the first requests', async () => {
  files = files.slice(0, 99)
  const { made } = setUp()
  await made.make('scene')
  assert.is(monitor.get(model.id), undefined)
  requests(5, () => 0)
  assert.equal(monitor.get(model.id)?.reference, { requests: 5, of: 1000, from: 'requests' })
})

test('what is known of answers whose truth came stays', async () => {
  const { made } = setUp()
  requests(1, () => 0)
  monitor.label(model.id, model.sha256, true)
  await made.make('scene')
  assert.is(monitor.get(model.id)?.accuracy?.count, 1)
})

test.run()
