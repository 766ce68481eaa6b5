/** Gives every request an id: the caller's own when it is a plain token, else a new one. */
import { randomUUID } from 'node:crypto'
import { createMiddleware } from 'hono/factory'
import type { HttpEnv } from './context.ts'

const acceptable = /^[\w.-]{1,64}$/

export const requestId = createMiddleware<HttpEnv>(async (c, next) => {
  const given = c.req.header('x-request-id')
  const id = given !== undefined && acceptable.test(given) ? given : randomUUID()
  c.set('requestId', id)
  c.header('x-request-id', id)
  await next()
})
