import { Agent, get } from 'node:http'
import { connect } from 'node:net'
import { Hono } from 'hono'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { within } from '../../runtime/core/within.ts'
import type { HttpEnv } from '../../runtime/http/context.ts'
import { listen } from '../../runtime/http/server.ts'
import { eventually } from '../eventually.ts'

const test = suite('http/server')

test('a close gives the answer that is due, and does not wait for the connection to be used again', async () => {
  let arrived = () => {}
  let answer = (_text: string) => {}
  const arrival = new Promise<void>(resolve => {
    arrived = resolve
  })
  const app = new Hono<HttpEnv>().get('/', async c => {
    arrived()
    return c.text(await new Promise<string>(resolve => (answer = resolve)))
  })
  const server = await listen(app, { host: '127.0.0.1', port: 0 })
  const agent = new Agent({ keepAlive: true })
  const answered = new Promise<string>((resolve, reject) => {
    get(server.url, { agent }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
      })
      response.on('end', () => resolve(text))
    }).on('error', reject)
  })
  await arrival
  const closed = server.close(120_000)
  answer('in time')
  assert.is(await answered, 'in time')
  // An idle connection is kept open for 75 seconds.
  assert.is(await within(closed, 60_000), undefined)
  agent.destroy()
})

test('a close waits no longer than its grace for a request that never comes whole', async () => {
  let arrived = false
  const app = new Hono<HttpEnv>().post('/', async c => {
    arrived = true
    return c.text(await c.req.text())
  })
  const server = await listen(app, { host: '127.0.0.1', port: 0 })
  const client = connect(Number(new URL(server.url).port), '127.0.0.1')
  client.on('error', () => {})
  client.write('POST / HTTP/1.1\r\nHost: box\r\nContent-Length: 100000\r\n\r\nabc')
  await eventually('it has come', () => arrived)
  assert.is(await within(server.close(200), 60_000), undefined)
  client.destroy()
})

test('a close lets a slow reader have the whole answer', async () => {
  const body = new Uint8Array(12_000_000)
  const app = new Hono<HttpEnv>().get('/', c => c.body(body))
  const server = await listen(app, { host: '127.0.0.1', port: 0 })
  const received = new Promise<number>((resolve, reject) => {
    get(server.url, response => {
      let bytes = 0
      response.once('readable', async () => {
        void server.close(120_000)
        for await (const piece of response) {
          bytes += piece.length
          await new Promise(resolve => setTimeout(resolve, 1))
        }
        resolve(bytes)
      })
    }).on('error', reject)
  })
  assert.is(await received, body.byteLength)
})

test('what is no request is answered, and its connection ends though the peer keeps its own side', async () => {
  const server = await listen(new Hono<HttpEnv>(), { host: '127.0.0.1', port: 0 })
  const client = connect({ port: Number(new URL(server.url).port), host: '127.0.0.1', allowHalfOpen: true })
  client.on('error', () => {})
  let text = ''
  client.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  client.write('this is not HTTP\r\n\r\n')
  await eventually('it is answered', () => /malformed-request/.test(text))
  assert.is(await within(server.close(120_000), 60_000), undefined)
  client.destroy()
})

test.run()
