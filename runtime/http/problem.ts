/** Errors as RFC 9457 problem details. What was not raised on purpose is a code and a request id to a client. */
import { CorunError } from '../core/errors.ts'
import { problemBody } from '../core/problem-body.ts'

export interface Problem {
  status: number
  headers: Record<string, string>
  body: Record<string, unknown>
}

/** What was not raised on purpose becomes an internal error, the faults of the caller and of the disk excepted. */
export function toCorunError(error: unknown): CorunError {
  if (error instanceof CorunError) return error
  const { code, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
  if (code === 'ECONNRESET' && message === 'aborted') {
    return new CorunError('client-aborted', 'the caller went away while its body was read', { cause: error })
  }
  if (code !== undefined && diskIsFull.has(code)) {
    return new CorunError('disk-full', 'what the request asks to keep could not be written', { cause: error })
  }
  return new CorunError('internal-error', 'unexpected error', { cause: error })
}

/** No space, none within this user's quota, or a file that may not become so large. */
const diskIsFull = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

export function problemOf(error: CorunError, requestId: string): Problem {
  const { retryAfter, allow, ...body } = problemBody(error, requestId)
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' }
  if (typeof retryAfter === 'number') headers['retry-after'] = String(retryAfter)
  if (typeof allow === 'string') headers.allow = allow
  if (error.status === 401) headers['www-authenticate'] = 'Bearer'
  return { status: error.status, headers, body }
}
