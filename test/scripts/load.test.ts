import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { closedLoop, type LoadItem, openLoop } from '../../scripts/bench/load.ts'
import { eventually } from '../eventually.ts'

const test = suite('scripts/load')

const item = (body: string, label: string): LoadItem => ({
  body: Buffer.from(body),
  contentType: 'text/plain',
  label,
})

/** A server that answers each body with a status and a label, not before `when`. */
async function withServer<T>(
  answer: (body: string) => { status: number; label: string; when?: Promise<unknown> },
  use: (url: string) => Promise<T>,
): Promise<T> {
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { status, label, when } = answer(body)
    await when
    response.writeHead(status, { 'x-corun-version': `v-${label}` }).end(JSON.stringify({ label }))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

test('a closed loop sends every item once and counts what is right', async () => {
  const seen: string[] = []
  const items = [item('a', 'a'), item('b', 'b'), item('c', 'x'), item('d', 'd')]
  const result = await withServer(
    body => {
      seen.push(body)
      return { status: 200, label: body }
    },
    url => closedLoop(url, items, 2),
  )
  assert.equal(seen.sort(), ['a', 'b', 'c', 'd'])
  assert.is(result.requests, 4)
  assert.is(result.failed, 0)
  assert.is(result.accuracy, 0.75)
  assert.is(result.versions.length, 4)
})

test('answers other than 2xx and refused connections are failures, with their text', async () => {
  const refused = await closedLoop('http://127.0.0.1:1/', [item('a', 'a')], 1)
  assert.is(refused.failed, 1)
  assert.match(refused.failures[0] ?? '', /ECONNREFUSED/)
  const busy = await withServer(
    () => ({ status: 503, label: '' }),
    url => closedLoop(url, [item('a', 'a')], 1),
  )
  assert.is(busy.failed, 1)
  assert.match(busy.failures[0] ?? '', /^503/)
})

test('an open loop keeps its arrivals when answers are late, and counts from the intended start', async () => {
  // 50 arrivals a second into a server that answers none before the last of 40 has come.
  let drawn = 0
  let arrived = 0
  let end = () => {}
  const until = new Promise<void>(resolve => {
    end = resolve
  })
  const when = eventually('40 have arrived', () => arrived >= 40)
  const result = await withServer(
    body => {
      arrived += 1
      return { status: 200, label: body, when }
    },
    url =>
      openLoop(url, [item('a', 'a')], {
        rate: 50,
        until,
        random: () => {
          drawn += 1
          if (drawn === 40) end()
          return 0.632
        },
      }),
  )
  // More only where the loop was late and made up for it.
  assert.ok(result.requests >= 40)
  assert.is(result.requests, drawn)
  assert.is(result.failed, 0)
  // Half of them came 400 ms before the last one or earlier.
  assert.ok(result.latencyMs.p50 > 350, `p50 ${result.latencyMs.p50} ms`)
})

test.run()
