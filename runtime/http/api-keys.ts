/** `/api/keys`: keys of functions. All of it is the admin's, reading too. */
import { Hono } from 'hono'
import { z } from 'zod'
import { CorunError } from '../core/errors.ts'
import { issuesText } from '../core/issues-text.ts'
import { functionNamePattern } from '../registry/discover.ts'
import type { HttpContext, HttpEnv } from './context.ts'

export const newKeySchema = z.strictObject({
  function: z.string().regex(functionNamePattern),
  note: z.string().max(200).optional(),
})

export function apiKeys({ keys }: HttpContext): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .get('/', c => c.json({ keys: keys.list() }))
    .post('/', async c => {
      const body = newKeySchema.safeParse(await c.req.json().catch(() => undefined))
      if (!body.success) {
        throw new CorunError('invalid-input', `${issuesText(body.error)}; expected { "function": "<name>" }`)
      }
      return c.json(await keys.make(body.data.function, body.data.note), 201)
    })
    .delete('/:id', async c => c.json(await keys.revoke(c.req.param('id'))))
}
