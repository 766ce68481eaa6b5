/** Which pictures are never trained on: decided by their content alone, so none ever moves to the other side. */

/** `training` teaches; `heldOut` only judges. */
export type Split = 'training' | 'heldOut'

/** By the first 32 bits of a SHA-256 in hexadecimal; `heldOutShare` from 0 to 1, by default a quarter. */
export function splitOf(sha256: string, heldOutShare = 0.25): Split {
  return Number.parseInt(sha256.slice(0, 8), 16) / 2 ** 32 < heldOutShare ? 'heldOut' : 'training'
}
