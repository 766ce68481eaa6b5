import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type StreamStart, streamWindow } from '../../runtime/core/messages.ts'
import { createAnswerStream } from '../../runtime/dispatch/answer-stream.ts'
import { responseAnswer } from '../../runtime/worker/answer.ts'
import { readReady } from '../../runtime/worker/read-ready.ts'
import { sendPieces } from '../../runtime/worker/stream.ts'

const test = suite('worker/stream')

const turn = () => new Promise(resolve => setImmediate(resolve))
const turns = async (count: number) => {
  for (let left = count; left > 0; left -= 1) await turn()
}

/** A body whose pieces come a turn of the event loop apart: its number each. */
function slowBody(pieces: number) {
  let made = 0
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        await turn()
        if (made === pieces) return controller.close()
        made += 1
        controller.enqueue(new Uint8Array([made]))
      },
    },
    { highWaterMark: 0 },
  )
  return { body, made: () => made }
}

function send(body: ReadableStream<Uint8Array>) {
  let begin: (start: StreamStart) => void = () => {}
  const begun = new Promise<StreamStart>(resolve => {
    begin = resolve
  })
  const task = responseAnswer(
    new Response(body),
    'f',
    sendPieces(
      1,
      start => begin(start),
      () => {},
    ),
  )
  return { begun, task }
}

test('a reader who does not read holds the sender back, and gets all when it reads', async () => {
  const { body, made } = slowBody(100)
  const { begun, task } = send(body)
  const stream = createAnswerStream(await begun)
  await turns(300)
  // What was read at once, what may be under way, and what waits to be read.
  assert.ok(made() <= 2 * streamWindow + 2, `${made()} pieces`)
  const reader = stream.body.getReader()
  const got: number[] = []
  void task.then(() => stream.end())
  for (let next = await reader.read(); !next.done; next = await reader.read()) got.push(...next.value)
  assert.equal(
    got,
    Array.from({ length: 100 }, (_, at) => at + 1),
  )
})

test('what was sent before a failure is still read', async () => {
  const { body } = slowBody(3)
  const { begun, task } = send(body)
  const stream = createAnswerStream(await begun)
  await task
  stream.fail(new Error('late'))
  const reader = stream.body.getReader()
  assert.equal((await reader.read()).value, new Uint8Array([1]))
})

test('a body that is there at once is one answer, of however many pieces', async () => {
  const ready = await readReady(new Response('text').body as ReadableStream)
  assert.is(ready.rest, undefined)
  const three = new ReadableStream({
    start(controller) {
      for (const piece of ['a', 'b', 'c']) controller.enqueue(new TextEncoder().encode(piece))
      controller.close()
    },
  })
  const { pieces, rest } = await readReady(three)
  assert.is(pieces.length, 3)
  assert.is(rest, undefined)
})

test('an endless body that never waits is a stream', async () => {
  const endless = new ReadableStream({ pull: controller => controller.enqueue(new Uint8Array(1)) })
  const part = await readReady(endless)
  assert.type(part.rest, 'function')
  await part.cancel(undefined)
})

test.run()
