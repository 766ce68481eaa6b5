/** What an import refuses, by name. */
import { CorunError } from '../core/errors.ts'

export function unsupported(operators: readonly string[]): CorunError {
  return new CorunError(
    'unsupported-operator',
    `the model uses what Corun does not import: ${[...operators].sort().join(', ')}`,
    { details: { operators: [...operators].sort() } },
  )
}
