import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { build } from 'esbuild'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CorunError } from '../../runtime/core/errors.ts'
import {
  admitThread,
  barThread,
  closeGate,
  createNativeGate,
  forgetThread,
  insideGate,
  started,
} from '../../runtime/device/native-gate.ts'
import { until } from '../eventually.ts'

const test = suite('device/native-gate')

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    error => (error instanceof CorunError ? error.code : String(error)),
  )
/** Work that ends when the test says so. */
function held() {
  let end = () => {}
  const ended = new Promise<void>(resolve => {
    end = resolve
  })
  return { work: () => ended, end: () => end() }
}
/** Lets everything happen that is going to happen without a further event. */
const settled = () => new Promise(resolve => setImmediate(() => setImmediate(resolve)))
const watched = (promise: Promise<void>) => {
  const state = { done: false }
  void promise.then(() => {
    state.done = true
  })
  return state
}

test('work inside an open gate gives its result, and its error', async () => {
  const gate = createNativeGate()
  admitThread(gate, 7)
  assert.is(await insideGate(gate, 7, async () => 'result'), 'result')
  assert.is(await codeOf(insideGate(gate, 7, () => Promise.reject(new Error('boom')))), 'Error: boom')
  await closeGate(gate)
})

test('a thread that starts is not ended before it says that its modules are there', async () => {
  const gate = createNativeGate()
  assert.is(started(gate, 3), false)
  admitThread(gate, 3, { starting: true })
  const barring = watched(barThread(gate, 3))
  const closing = watched(closeGate(gate))
  await settled()
  assert.equal([barring.done, closing.done], [false, false])
  assert.is(started(gate, 3), true)
  await until(() => barring.done && closing.done)
})

test('after the close nobody enters: the work is not even begun', async () => {
  const gate = createNativeGate()
  admitThread(gate, 1)
  await closeGate(gate)
  let begun = false
  const entering = insideGate(gate, 1, async () => {
    begun = true
  })
  assert.is(await codeOf(entering), 'shutting-down')
  assert.is(begun, false)
})

test('the close waits for everyone who is inside, however deep', async () => {
  const gate = createNativeGate()
  for (const threadId of [1, 2]) admitThread(gate, threadId)
  const [a, b, c] = [held(), held(), held()]
  const inside = [insideGate(gate, 1, a.work), insideGate(gate, 1, b.work), insideGate(gate, 2, c.work)]
  const closing = closeGate(gate)
  const state = watched(closing)
  a.end()
  await inside[0]
  c.end()
  await inside[2]
  await settled()
  assert.is(state.done, false)
  b.end()
  await closing
})

test('work that fails inside leaves, too', async () => {
  const gate = createNativeGate()
  admitThread(gate, 1)
  await codeOf(insideGate(gate, 1, () => Promise.reject(new Error('boom'))))
  await closeGate(gate)
})

test('a thread that was forgotten is not waited for', async () => {
  const gate = createNativeGate()
  admitThread(gate, 1)
  void insideGate(gate, 1, held().work)
  const closing = closeGate(gate)
  forgetThread(gate, 1)
  await closing
})

test('one thread is shut out while the others go on', async () => {
  const gate = createNativeGate()
  for (const threadId of [1, 2]) admitThread(gate, threadId)
  const { work, end } = held()
  const inside = insideGate(gate, 1, work)
  const barring = barThread(gate, 1)
  const state = watched(barring)
  assert.is(await codeOf(insideGate(gate, 1, async () => {})), 'shutting-down')
  assert.is(await codeOf(insideGate(gate, 2, async () => {})), 'done')
  await settled()
  assert.is(state.done, false)
  end()
  await inside
  await barring
})

test('thousands of threads may come and go, and none is taken for another', async () => {
  const gate = createNativeGate()
  admitThread(gate, 1)
  const { work, end } = held()
  const inside = insideGate(gate, 1, work)
  for (let threadId = 2; threadId < 3000; threadId += 1) {
    admitThread(gate, threadId)
    void insideGate(gate, threadId, held().work)
    forgetThread(gate, threadId)
  }
  const closing = closeGate(gate)
  const state = watched(closing)
  await settled()
  assert.is(state.done, false)
  end()
  await inside
  await closing
})

test('a thread that was never admitted does not get to the engine unseen', async () => {
  assert.match(await codeOf(insideGate(createNativeGate(), 5, async () => {})), /never admitted/)
})

test('a real thread that blocks inside is waited for until it leaves', async () => {
  const gate = createNativeGate()
  const door = new Int32Array(new SharedArrayBuffer(4))
  const contents = `
    import { workerData, parentPort, threadId } from 'node:worker_threads'
    import { insideGate } from './native-gate.ts'
    parentPort.once('message', () =>
      insideGate(workerData.gate, threadId, async () => {
        parentPort.postMessage('inside')
        Atomics.wait(workerData.door, 0, 0)
      }),
    )`
  // A thread takes plain JavaScript only.
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL('../../runtime/device', import.meta.url)) },
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
  })
  const worker = new Worker(outputFiles[0]?.text ?? '', { eval: true, workerData: { gate, door } })
  admitThread(gate, worker.threadId)
  worker.postMessage('enter')
  await once(worker, 'message')
  const closing = closeGate(gate)
  const state = watched(closing)
  await settled()
  assert.is(state.done, false)
  Atomics.store(door, 0, 1)
  Atomics.notify(door, 0)
  await closing
  await worker.terminate()
})

test.run()
