import type { Deployment } from '../../runtime/core/deployment.ts'

/** Of a function `f` without models, in the fetch form. */
export function fetchDeployment(
  id: string,
  { timeoutMs = 60_000, maxInFlight }: { timeoutMs?: number; maxInFlight?: number } = {},
): Deployment {
  return {
    id,
    function: 'f',
    bundle: '/nowhere.mjs',
    bundleHash: 'b'.repeat(64),
    models: {},
    description: {
      form: 'fetch',
      timeoutMs,
      ...(maxInFlight === undefined ? {} : { maxInFlight }),
      input: { kind: 'request' },
      outputSchema: undefined,
      models: {},
    },
  }
}
