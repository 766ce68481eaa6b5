/** Whether the system refused to write for want of room: an operator's business, and no fault of the code. Pure. */
import { CorunError } from './errors.ts'

/** No space, none within this user's quota, or a file that may not become so large. */
const codes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** `error` itself where it is about something else. */
export function orDiskFull(error: unknown, what: string): unknown {
  const { code } = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
  if (code === undefined || !codes.has(code)) return error
  return new CorunError('disk-full', `${what} could not be written: the disk takes no more (${code})`, {
    cause: error,
  })
}
