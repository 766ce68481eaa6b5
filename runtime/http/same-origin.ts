/**
 * Keeps pages of other origins from changing things through an operator's browser. Programs send no `Origin` and
 * pass; browsers send it with every request that can change something.
 */
import { createMiddleware } from 'hono/factory'
import { isLoopback } from '../core/config.ts'
import { CorunError } from '../core/errors.ts'
import type { HttpEnv } from './context.ts'

export const readOnly = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * A server without an admin token listens on loopback, so that nobody else reaches it; but a page may call its own name
 * what has been made to lead here (DNS rebinding), and its origin is then the host's. `trusted`: origins, whose hosts may.
 */
export const loopbackHost = (trusted: '*' | string[] = []) =>
  createMiddleware<HttpEnv>(async (c, next) => {
    const host = c.req.header('host')
    if (
      host !== undefined &&
      trusted !== '*' &&
      !isHere(host) &&
      !trusted.some(each => hostOf(each) === host)
    ) {
      throw new CorunError(
        'forbidden-origin',
        `"${host}" is no name of this box alone; expected localhost or its address, an admin token, or the origin among --api-cors-origins`,
      )
    }
    await next()
  })

const hostOf = (origin: string) => (URL.canParse(origin) ? new URL(origin).host : undefined)
/** As browsers resolve it: names below localhost are its own. */
function isHere(host: string): boolean {
  const name = hostnameOf(host)
  return name !== undefined && (isLoopback(name) || name.endsWith('.localhost'))
}
const hostnameOf = (host: string) =>
  URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, '') : undefined

/** `trusted`: other origins that may. */
export const sameOrigin = (trusted: '*' | string[] = []) =>
  createMiddleware<HttpEnv>(async (c, next) => {
    const origin = c.req.header('origin')
    const isTrusted = trusted === '*' || (origin !== undefined && trusted.includes(origin))
    if (origin !== undefined && !isTrusted && !readOnly.has(c.req.method)) {
      if (hostOf(origin) !== (c.req.header('host') ?? new URL(c.req.url).host)) {
        throw new CorunError('forbidden-origin', `origin "${origin}" may not change anything here`)
      }
    }
    await next()
  })
