import { Agent, get } from 'node:http'
import { Hono } from 'hono'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { within } from '../../runtime/core/within.ts'
import type { HttpEnv } from '../../runtime/http/context.ts'
import { listen } from '../../runtime/http/server.ts'

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
  const closed = server.close()
  answer('in time')
  assert.is(await answered, 'in time')
  // Node keeps an idle connection open for five seconds.
  assert.is(await within(closed, 3000), undefined)
  agent.destroy()
})

test.run()
