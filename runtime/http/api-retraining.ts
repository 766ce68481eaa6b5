/** `/api/retraining`: schedules, runs and their progress; start, pause, resume and cancel by hand. */
import { Hono } from 'hono'
import type { HttpContext, HttpEnv } from './context.ts'

export function apiRetraining({ retraining }: HttpContext): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
    .get('/', c => c.json({ retraining: retraining.list() }))
    .get('/:name', c => c.json(retraining.get(c.req.param('name'))))
    .post('/:name/run', async c => c.json(await retraining.start(c.req.param('name')), 202))
  for (const action of ['pause', 'resume', 'cancel'] as const) {
    app.post(`/:name/${action}`, async c => c.json(retraining[action](c.req.param('name'))))
  }
  return app
}
