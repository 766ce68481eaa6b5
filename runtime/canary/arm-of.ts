/** Which version answers a request while a candidate is on trial: pure, so that a retry of the same id stays where it was. */
import { createHash } from 'node:crypto'
import type { Arm } from '../core/deployment.ts'

/** `salt`: of the trial, so that not the same requests are drawn by each. `share`: of the candidate, 0 to 1. */
export function armOf(requestId: string, share: number, salt: string): Arm {
  const drawn = createHash('sha256').update(`${salt}/${requestId}`).digest().readUInt32BE(0) / 2 ** 32
  return drawn < share ? 'candidate' : 'current'
}
