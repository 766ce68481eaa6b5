/** `/api/samples` and `/api/functions/{name}/samples`: labelled pictures for retraining, counted, shown and removed; feedback. */
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import { CorunError } from '../core/errors.ts'
import { issuesText } from '../core/issues-text.ts'
import type { Sample } from '../samples/sample-store.ts'
import { summarize } from '../samples/summary.ts'
import { requireAdmin } from './admin.ts'
import type { FunctionView, HttpContext, HttpEnv } from './context.ts'
import { assertLabel } from './sample-label.ts'

const filterSchema = z
  .strictObject({ label: z.string().min(1).optional(), before: z.iso.datetime().optional() })
  .refine(({ label, before }) => (label ?? before) !== undefined, 'expected ?label=, ?before= or both')

const feedbackSchema = z.strictObject({ requestId: z.string().min(1), label: z.string() })

const mediaTypes = { jpg: 'image/jpeg', png: 'image/png', webp: 'image/webp' } as const

/** A sample as clients see it: not where it lies. */
const shown = ({ file: _, ...sample }: Sample) => sample

export function apiSamples({ samples }: HttpContext): Hono<HttpEnv> {
  return new Hono<HttpEnv>().get('/', async c => {
    const names = (await samples.names()).sort()
    const summaries = names.map(async name => summarize(name, await samples.list(name)))
    return c.json({ samples: await Promise.all(summaries) })
  })
}

export function apiFunctionSamples({
  functions,
  dispatcher,
  samples,
  feedback,
  config,
}: HttpContext): Hono<HttpEnv> {
  /** Of a function that is deployed, or was once: its samples are still there. */
  const nameOf = async (c: Context<HttpEnv>): Promise<string> => {
    const name = c.req.param('name') ?? ''
    if (functions.get(name) !== undefined || (await samples.names()).includes(name)) return name
    throw unknownFunction(name)
  }

  const deployed = (name: string): FunctionView => {
    const view = functions.get(name)
    if (view === undefined) throw unknownFunction(name)
    return view
  }

  return new Hono<HttpEnv>()
    .get('/:name/samples', async c => {
      const name = await nameOf(c)
      const list = await samples.list(name)
      const summary = summarize(name, list)
      return c.json(c.req.query('list') === 'true' ? { ...summary, samples: list.map(shown) } : summary)
    })
    .get('/:name/samples/:id', requireAdmin(config.adminToken, { reading: true }), async c => {
      const { sample, body } = await samples.read(await nameOf(c), c.req.param('id'))
      // The bytes were read alone from a file: their buffer is no SharedArrayBuffer.
      return c.body(body as Uint8Array<ArrayBuffer>, 200, { 'content-type': mediaTypes[sample.format] })
    })
    .post('/:name/samples', async c => {
      const name = c.req.param('name')
      const label = c.req.query('label')
      assertLabel(deployed(name), label, '?label=')
      const body = new Uint8Array(await c.req.arrayBuffer())
      // The buffer that goes to a thread is transferred away: what is stored is a copy of its own.
      const { format } = await dispatcher.checkImage(name, body.slice())
      const { id, duplicate } = await samples.add({ function: name, label, body, format })
      return c.json({ id, label, duplicate }, duplicate ? 200 : 201)
    })
    .post('/:name/feedback', async c => {
      const name = c.req.param('name')
      const view = deployed(name)
      const body = feedbackSchema.safeParse(await c.req.json().catch(() => undefined))
      if (!body.success) {
        throw new CorunError(
          'invalid-input',
          `${issuesText(body.error)}; expected { "requestId": "<x-request-id of the answer>", "label": "..." }`,
        )
      }
      const { requestId, label } = body.data
      assertLabel(view, label, '"label"')
      const truth = await feedback(name, requestId, label)
      return c.json(truth, truth.sample === null ? 200 : 201)
    })
    .delete('/:name/samples', async c => {
      const filter = filterSchema.safeParse(c.req.query())
      if (!filter.success) throw new CorunError('invalid-input', issuesText(filter.error))
      const { label, before } = filter.data
      const removed = await samples.remove(await nameOf(c), {
        label,
        before: before === undefined ? undefined : Date.parse(before),
      })
      return c.json({ removed: removed.map(shown) })
    })
    .delete('/:name/samples/:id', async c => {
      const name = await nameOf(c)
      const id = c.req.param('id')
      const removed = await samples.remove(name, { id })
      if (removed.length === 0) {
        throw new CorunError('unknown-sample', `function "${name}" has no sample "${id}"`)
      }
      return c.json({ removed: removed.map(shown) })
    })
}

const unknownFunction = (name: string) => new CorunError('unknown-function', `there is no function "${name}"`)
