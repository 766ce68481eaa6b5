/** `/api/models`: versions and lineage; promotion, rollback and pins by hand, each with its reason. */
import { Hono } from 'hono'
import { z } from 'zod'
import { CorunError } from '../core/errors.ts'
import { issuesText } from '../core/issues-text.ts'
import type { ModelView } from '../models/model-view.ts'
import type { HttpContext, HttpEnv } from './context.ts'

const version = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in hexadecimal')
/** Characters of a reason. */
export const mostReason = 1000
/** For the history. */
const why = z.string().min(1).max(mostReason).optional()
export const promotionSchema = z.strictObject({ version, why })
const rollback = z.strictObject({ why }).default({})
const pin = z.strictObject({ version, why, pinned: z.boolean().default(true) })

export function apiModels({ models, canaries, drift }: HttpContext): Hono<HttpEnv> {
  /** With how the trial of its candidate stands. */
  const shown = (view: ModelView) => {
    const { model: _, function: __, ...trial } = canaries.list().find(({ model }) => model === view.id) ?? {}
    return { ...view, trial: 'mode' in trial ? trial : null }
  }
  return new Hono<HttpEnv>()
    .get('/', c => c.json({ models: models.list().map(shown) }))
    .get('/:id', c => {
      const id = c.req.param('id')
      return c.json({ ...shown(models.get(id)), drift: drift.get(id) ?? null })
    })
    .post('/:id/promote', async c => {
      const body = parse(promotionSchema, await c.req.text(), '{ "version": "<sha256>", "why"?: "<text>" }')
      return c.json(await models.promote(c.req.param('id'), body.version, reasonOf(body)))
    })
    .post('/:id/rollback', async c => {
      const body = parse(rollback, await c.req.text(), 'nothing, or { "why": "<text>" }')
      return c.json(await models.rollback(c.req.param('id'), reasonOf(body)))
    })
    .post('/:id/pin', async c => {
      const body = parse(
        pin,
        await c.req.text(),
        '{ "version": "<sha256>", "pinned"?: true, "why"?: "<text>" }',
      )
      return c.json(await models.pin(c.req.param('id'), body.version, body.pinned, reasonOf(body)))
    })
}

const reasonOf = ({ why }: { why?: string | undefined }) => (why === undefined ? {} : { why })

function parse<Schema extends z.ZodType>(schema: Schema, text: string, expected: string): z.output<Schema> {
  const body = schema.safeParse(text === '' ? undefined : jsonOf(text))
  if (body.success) return body.data
  throw new CorunError('invalid-input', `${issuesText(body.error)}; expected ${expected}`)
}

/** What is no JSON fits no schema. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
