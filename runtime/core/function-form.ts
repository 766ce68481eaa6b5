/** The two forms of a function's definition, told apart. Whether a definition is right is definition-schema.ts's. */
import type { FetchDefinition, FetchHandler, HandlerDefinition } from './definition.ts'

export type CheckedFunction =
  | { form: 'handler'; definition: HandlerDefinition }
  | { form: 'fetch'; definition: FetchDefinition }

/** What a module exports by default, once it has passed the check: the author's own object, whose handler may use `this`. */
export function asFunction(checked: object): CheckedFunction {
  // A bare web handler: the shortest form of contract 1.
  if (typeof checked === 'function') return { form: 'fetch', definition: { fetch: checked as FetchHandler } }
  return 'fetch' in checked
    ? { form: 'fetch', definition: checked as FetchDefinition }
    : { form: 'handler', definition: checked as HandlerDefinition }
}
