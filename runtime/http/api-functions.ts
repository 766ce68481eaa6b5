/** `/api/functions`: what is deployed. Labelled samples are in api-samples.ts. */
import { Hono } from 'hono'
import { CorunError } from '../core/errors.ts'
import type { HttpContext, HttpEnv } from './context.ts'
import { describeFunction } from './function-view.ts'

export function apiFunctions({ functions, dispatcher }: HttpContext): Hono<HttpEnv> {
  const known = (name: string) => {
    const found = functions.get(name)
    if (found === undefined) throw new CorunError('unknown-function', `there is no function "${name}"`)
    return found
  }

  return new Hono<HttpEnv>()
    .get('/', c =>
      c.json({
        functions: functions
          .list()
          .map(found => ({ ...describeFunction(found), counters: dispatcher.counters(found.name) })),
      }),
    )
    .get('/:name', c => {
      const name = c.req.param('name')
      return c.json({ ...describeFunction(known(name)), counters: dispatcher.counters(name) })
    })
}
