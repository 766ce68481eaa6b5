/** `/api/functions`: what is deployed. Labelled samples are in api-samples.ts. */
import { Hono } from 'hono'
import { CorunError } from '../core/errors.ts'
import { modelMemory } from '../core/model-memory.ts'
import type { FunctionView, HttpContext, HttpEnv } from './context.ts'
import { describeFunction } from './function-view.ts'

export function apiFunctions({ functions, dispatcher, drift, threads }: HttpContext): Hono<HttpEnv> {
  const shown = (view: FunctionView) => ({
    ...describeFunction(view),
    counters: dispatcher.counters(view.name),
    /** By model. */
    memory: Object.fromEntries(
      Object.values(view.deployment?.models ?? {}).map(model => [model.id, modelMemory(model, threads())]),
    ),
    /** Level by model, for those that are watched. */
    drift: Object.fromEntries(
      Object.values(view.deployment?.models ?? {}).flatMap(({ id }) => {
        const level = drift.get(id)?.level
        return level === undefined ? [] : [[id, level]]
      }),
    ),
  })
  const known = (name: string) => {
    const found = functions.get(name)
    if (found === undefined) throw new CorunError('unknown-function', `there is no function "${name}"`)
    return found
  }

  return new Hono<HttpEnv>()
    .get('/', c => c.json({ functions: functions.list().map(shown), problems: functions.problems() }))
    .get('/:name', c => c.json(shown(known(c.req.param('name')))))
}
