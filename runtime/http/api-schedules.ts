/** `/api/schedules`: functions that are called by the clock; run now, pause and resume by hand. */
import { Hono } from 'hono'
import type { HttpContext, HttpEnv } from './context.ts'

export function apiSchedules({ schedules }: HttpContext): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
    .get('/', c => c.json({ schedules: schedules.list() }))
    .get('/:name', c => c.json(schedules.get(c.req.param('name'))))
    .post('/:name/run', async c => c.json(await schedules.run(c.req.param('name')), 202))
  for (const action of ['pause', 'resume'] as const) {
    app.post(`/:name/${action}`, async c => c.json(await schedules[action](c.req.param('name'))))
  }
  return app
}
