/** `/invocations/{id}`: what became of an asynchronous invocation, for whoever may call its function. */
import { type Context, Hono } from 'hono'
import type { HttpContext, HttpEnv } from './context.ts'
import { checkKey } from './function-key.ts'

export function invocationRoutes({ invocations, functions, keys }: HttpContext): Hono<HttpEnv> {
  /** Throws `unknown-invocation` or `invalid-key`. */
  const opened = (c: Context<HttpEnv>): string => {
    const id = c.req.param('id') ?? ''
    const { function: name, auth } = invocations.owner(id)
    const needsKey = auth ?? functions.get(name)?.deployment?.description.auth
    if (needsKey === 'key') checkKey(keys, name, c.req.raw.headers)
    return id
  }
  return new Hono<HttpEnv>().get('/:id', async c => {
    const view = await invocations.get(opened(c))
    if (view.finishedAt === undefined) c.header('retry-after', '1')
    return c.json(view)
  })
}
