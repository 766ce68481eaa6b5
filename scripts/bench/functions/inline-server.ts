// The peer of the hop's figures: the answer of functions/hello from a plain Hono route, in one process, without a pool.
import { randomUUID } from 'node:crypto'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'

const app = new Hono()
app.all('/fn/hello', c =>
  Response.json({ hello: c.req.query('name') ?? 'world', version: 'inline', requestId: randomUUID() }),
)
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) =>
  process.stdout.write(`ready at http://127.0.0.1:${port}\n`),
)
