/** `/api/drift`: how far each model's requests are from those that it began with. */
import { Hono } from 'hono'
import { CorunError } from '../core/errors.ts'
import type { HttpContext, HttpEnv } from './context.ts'

export function apiDrift({ drift }: HttpContext): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .get('/', c => c.json({ drift: drift.list() }))
    .get('/:model', c => {
      const model = c.req.param('model')
      const found = drift.get(model)
      if (found === undefined)
        throw new CorunError('unknown-model', `no drift is known of a model "${model}"`)
      return c.json(found)
    })
    .post('/:model/reset', async c => c.json(await drift.reset(c.req.param('model'))))
}
