/** Cross-origin requests of browsers: by a function's definition or the server's options, else not at all. */
import type { Context } from 'hono'
import { cors } from 'hono/cors'
import { createMiddleware } from 'hono/factory'
import type { CheckedCors } from '../core/definition-schema.ts'
import type { HttpEnv } from './context.ts'

const exposed = ['x-request-id', 'x-corun-version', 'server-timing', 'location', 'retry-after']
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/** `find` tells what applies to a request; undefined: nothing does. A preflight is answered here, and costs no slot. */
export function crossOrigin(find: (c: Context<HttpEnv>) => CheckedCors | undefined) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    const isPreflight = c.req.header('access-control-request-method') !== undefined
    const rules = c.req.header('origin') === undefined ? undefined : find(c)
    if (rules === undefined || (c.req.method === 'OPTIONS' && !isPreflight)) return next()
    const { origins, headers = [], exposeHeaders = exposed, credentials, maxAge } = rules
    const options = { allowHeaders: headers, exposeHeaders, allowMethods: methods, credentials, maxAge }
    return cors({ origin: origins, ...options })(c, next)
  })
}

/** What a list of origins alone means. */
export const corsOf = (origins: CheckedCors['origins'] | undefined): CheckedCors | undefined =>
  origins === undefined ? undefined : { origins, credentials: false, maxAge: 600 }
