/** Who may change things: the bearer of the admin token, and never a page of another origin. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { createMiddleware } from 'hono/factory'
import { CorunError } from '../core/errors.ts'
import type { HttpEnv } from './context.ts'
import { readOnly } from './same-origin.ts'

const digest = (text: string) => createHash('sha256').update(text).digest()

/**
 * Digests have one length, so the comparison takes the same time for every guess. `reading`: the token is needed for
 * reading too, where what is read is private.
 */
export function requireAdmin(token: string | undefined, { reading = false } = {}) {
  const expected = token === undefined ? undefined : digest(token)
  return createMiddleware<HttpEnv>(async (c, next) => {
    if (expected !== undefined && (reading || !readOnly.has(c.req.method))) {
      const given = /^Bearer (.+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
      if (given === undefined || !timingSafeEqual(digest(given), expected)) {
        throw new CorunError('unauthorized', 'this request needs the admin token')
      }
    }
    await next()
  })
}
