/** What a request that is not admitted is told: pure. Who is admitted is admission.ts's. */
import { CorunError } from '../core/errors.ts'
import { type AdmissionFacts, admit, retryAfterSeconds, retryWhenInTimeSeconds } from './admission.ts'

export interface RefusalFacts extends AdmissionFacts {
  /** Of the function's recent runs. */
  meanRunMs: number
}

/** Undefined for one that may come in. `name`: of the function. */
export function refusal(name: string, facts: RefusalFacts): CorunError | undefined {
  const { slots, running, queued, functionInFlight, timeoutMs, predictedMs, meanRunMs } = facts
  const admission = admit(facts)
  switch (admission) {
    case 'run':
    case 'queue':
      return undefined
    case 'shutting-down':
      return new CorunError(admission, 'the server takes no new requests')
    case 'function-busy':
      return new CorunError(
        admission,
        `function "${name}" has ${functionInFlight} requests in flight, its maxInFlight`,
        { details: { retryAfter: retryAfterSeconds(0, slots, meanRunMs) } },
      )
    case 'saturated':
      return new CorunError(
        admission,
        `${running} slots are busy and ${queued} requests wait; no more may wait`,
        { details: { retryAfter: retryAfterSeconds(queued, slots, meanRunMs) } },
      )
    case 'too-late': {
      const late = Math.round(predictedMs ?? timeoutMs)
      return new CorunError(
        'saturated',
        `${queued} requests wait: one of "${name}" would be answered in ${late} ms, and its deadline is ${timeoutMs} ms`,
        { details: { retryAfter: retryWhenInTimeSeconds(late, timeoutMs) } },
      )
    }
  }
}
