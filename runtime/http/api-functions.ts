/** `/api/functions`: what is deployed, and labelled samples for its retraining. */
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { CorunError } from '../core/errors.ts'
import { expectedLabel, knownLabels, takesLabel } from '../core/labels.ts'
import { bodyTooLarge } from './body.ts'
import type { FunctionView, HttpContext, HttpEnv } from './context.ts'
import { describeFunction } from './function-view.ts'

export function apiFunctions({ functions, dispatcher, samples, config }: HttpContext): Hono<HttpEnv> {
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
    .post(
      '/:name/samples',
      bodyLimit({ maxSize: config.bodyLimit, onError: bodyTooLarge(config.bodyLimit) }),
      async c => {
        const name = c.req.param('name')
        const label = c.req.query('label')
        const view = known(name)
        const labels = labelsOf(view)
        const { loss = 'softmax-cross-entropy', labels: wanted } = view.retraining?.description ?? {}
        if (label === undefined || !takesLabel(label, loss, labels, wanted)) {
          throw new CorunError(
            'unknown-label',
            `label ${label === undefined ? 'is missing' : `"${label}" is not known`}; expected ?label= ${expectedLabel(loss, labels, wanted)}`,
            { details: { labels: knownLabels(labels, wanted) } },
          )
        }
        const body = new Uint8Array(await c.req.arrayBuffer())
        // The buffer that goes to a thread is transferred away: what is stored is a copy of its own.
        const { format } = await dispatcher.checkImage(name, body.slice())
        const { id, duplicate } = await samples.add({ function: name, label, body, format })
        return c.json({ id, label, duplicate }, duplicate ? 200 : 201)
      },
    )
}

/** The labels that samples of a function may carry: those of the model that its retraining trains, else of its only one. */
function labelsOf({ name, deployment, retraining }: FunctionView): readonly string[] {
  const models = deployment?.models ?? {}
  const trained = retraining?.description.model ?? Object.keys(models)[0]
  const labels = trained === undefined ? undefined : models[trained]?.labels
  if (labels === undefined || labels.length === 0) {
    throw new CorunError(
      'unknown-label',
      `function "${name}" has no model with labels, so it takes no samples`,
    )
  }
  return labels
}
