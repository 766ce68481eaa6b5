/** Bodies: the limit in bytes, for every route that reads one. */
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import { CorunError } from '../core/errors.ts'
import type { HttpEnv } from './context.ts'

/**
 * Refuses bodies over `limit` bytes. One that tells its length is not looked at: Hono's own middleware makes a web
 * stream of it for that, and the adapter reads it faster without.
 */
export function limitBody(limit: number) {
  const tooLarge = (): never => {
    throw new CorunError('body-too-large', `the body is larger than ${limit} bytes`)
  }
  const counted = bodyLimit({ maxSize: limit, onError: tooLarge })
  return createMiddleware<HttpEnv>((c, next) => {
    const declared = c.req.header('content-length')
    if (declared === undefined || c.req.header('transfer-encoding') !== undefined) return counted(c, next)
    return Number(declared) > limit ? tooLarge() : next()
  })
}
