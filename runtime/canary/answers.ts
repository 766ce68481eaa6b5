/** What the two versions answered to one request, held against each other: pure. */
import type { Deployment } from '../core/deployment.ts'
import type { ModelSaid } from '../core/messages.ts'

/** How one version answered a request that both get. */
export interface Answered {
  deployment: Deployment
  /** What it failed with. */
  error?: unknown
  status?: number
  /** In the thread. Unit: ms. */
  runMs: number
  said?: readonly ModelSaid[] | undefined
  /** Where the answer was there as a whole. */
  body?: Uint8Array | undefined
}

/** What the model said last, as one of its labels. */
export function labelSaid({ deployment, said = [] }: Answered, model: string): string | undefined {
  const last = said.findLast(one => one.model === model)
  const labels = Object.values(deployment.models).find(({ id }) => id === model)?.labels
  return last && labels?.[last.predicted]
}

/** By label, else by the bytes of the answers; undefined when neither can tell. */
export function sameAnswer(one: Answered, other: Answered, model: string): boolean | undefined {
  const [label, otherLabel] = [labelSaid(one, model), labelSaid(other, model)]
  if (label !== undefined && otherLabel !== undefined) return label === otherLabel
  if (one.body === undefined || other.body === undefined) return undefined
  return Buffer.compare(one.body, other.body) === 0
}
