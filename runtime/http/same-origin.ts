/**
 * Keeps pages of other origins from changing things through an operator's browser. Programs send no `Origin` and
 * pass; browsers send it with every request that can change something.
 */
import { createMiddleware } from 'hono/factory'
import { CorunError } from '../core/errors.ts'
import type { HttpEnv } from './context.ts'

const readOnly = new Set(['GET', 'HEAD', 'OPTIONS'])

/** `trusted`: other origins that may. */
export const sameOrigin = (trusted: '*' | string[] = []) =>
  createMiddleware<HttpEnv>(async (c, next) => {
    const origin = c.req.header('origin')
    const isTrusted = trusted === '*' || (origin !== undefined && trusted.includes(origin))
    if (origin !== undefined && !isTrusted && !readOnly.has(c.req.method)) {
      const host = URL.canParse(origin) ? new URL(origin).host : undefined
      if (host !== (c.req.header('host') ?? new URL(c.req.url).host)) {
        throw new CorunError('forbidden-origin', `origin "${origin}" may not change anything here`)
      }
    }
    await next()
  })
