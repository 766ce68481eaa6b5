/** Which labels samples of a function may carry. */
import { CorunError } from '../core/errors.ts'
import { expectedLabel, knownLabels, takesLabel } from '../core/labels.ts'
import type { FunctionView } from './context.ts'

/** Throws `unknown-label` with the labels there are, unless `label` may be one of a sample of the function. */
export function assertLabel(view: FunctionView, label: unknown, expected: string): asserts label is string {
  const labels = labelsOf(view)
  const { loss = 'softmax-cross-entropy', labels: wanted } = view.retraining?.description ?? {}
  if (typeof label === 'string' && takesLabel(label, loss, labels, wanted)) return
  const found = label === undefined ? 'is missing' : `"${label}" is not known`
  throw new CorunError(
    'unknown-label',
    `label ${found}; expected ${expected} ${expectedLabel(loss, labels, wanted)}`,
    { details: { labels: knownLabels(labels, wanted) } },
  )
}

/** Those of the model that its retraining trains, else of its only one. */
function labelsOf({ name, deployment, retraining }: FunctionView): readonly string[] {
  if (deployment === undefined) {
    throw new CorunError(
      'function-unavailable',
      `function "${name}" does not serve: what it takes is not known`,
      {
        details: { retryAfter: 1 },
      },
    )
  }
  const { models } = deployment
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
