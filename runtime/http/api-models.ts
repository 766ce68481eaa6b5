/** `/api/models`: versions and lineage; promotion and rollback by hand. */
import { Hono } from 'hono'
import { z } from 'zod'
import { issuesText } from '../core/definition-schema.ts'
import { CorunError } from '../core/errors.ts'
import type { HttpContext, HttpEnv } from './context.ts'

const promotion = z.strictObject({
  version: z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in hexadecimal'),
})

export function apiModels({ models, drift }: HttpContext): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .get('/', c => c.json({ models: models.list() }))
    .get('/:id', c => {
      const id = c.req.param('id')
      return c.json({ ...models.get(id), drift: drift.get(id) ?? null })
    })
    .post('/:id/promote', async c => {
      const body = promotion.safeParse(await c.req.json().catch(() => undefined))
      if (!body.success) {
        throw new CorunError('invalid-input', `${issuesText(body.error)}; expected { "version": "<sha256>" }`)
      }
      return c.json(await models.promote(c.req.param('id'), body.data.version))
    })
    .post('/:id/rollback', async c => c.json(await models.rollback(c.req.param('id'))))
}
