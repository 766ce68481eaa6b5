/** A function as people and programs see it: in `GET /api/functions` and in `corun functions`. */
import type { EntryProblem } from '../registry/registry.ts'
import type { FunctionView, HttpContext } from './context.ts'

export type FunctionListing = ReturnType<typeof describeFunction>

/** What `GET /api/functions` answers, and more. */
export interface FunctionsListing {
  functions: FunctionListing[]
  problems: EntryProblem[]
}

export const listFunctions = ({ list, problems }: HttpContext['functions']): FunctionsListing => ({
  functions: list().map(describeFunction),
  problems: problems(),
})

export function describeFunction({ name, state, deployment, lastError, retraining }: FunctionView) {
  return {
    name,
    url: `/fn/${name}`,
    state,
    version: deployment?.id,
    description: deployment?.description.description,
    input: deployment?.description.input,
    output: deployment?.description.outputSchema,
    timeoutMs: deployment?.description.timeoutMs,
    maxInFlight: deployment?.description.maxInFlight,
    auth: deployment?.description.auth,
    batch: deployment?.description.batch,
    models: Object.entries(deployment?.models ?? {}).map(([key, { id, sha256, labels }]) => ({
      name: key,
      id,
      version: sha256,
      labels,
    })),
    retraining: retraining?.description,
    lastError,
  }
}
