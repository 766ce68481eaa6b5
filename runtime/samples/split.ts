/** What a picture is for: decided by its content alone, so that it never moves from one run to the next. */

/** `training` teaches, `validation` says when to stop and which epoch was best, `test` only judges what comes of it. */
export type Split = 'training' | 'validation' | 'test'

const testShare = 0.25
const validationShare = 0.1

/** A quarter of all pictures are for `test`, a tenth for `validation`. */
export function splitOf(sha256: string): Split {
  const place = placeOf(sha256)
  if (place < testShare) return 'test'
  return place < testShare + validationShare ? 'validation' : 'training'
}

/** Whether a picture is in the part of `share`, from 0 to 1, that is never trained on. */
export const isHeldOut = (sha256: string, share: number): boolean => placeOf(sha256) < share

/** From 0 up to 1, by the first 32 bits of a SHA-256 in hexadecimal. */
const placeOf = (sha256: string) => Number.parseInt(sha256.slice(0, 8), 16) / 2 ** 32
