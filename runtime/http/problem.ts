/** Errors as RFC 9457 problem details. What was not raised on purpose is a code and a request id to a client. */
import { orDiskFull } from '../core/disk-full.ts'
import { CorunError } from '../core/errors.ts'
import { problemBody } from '../core/problem-body.ts'

export interface Problem {
  status: number
  headers: Record<string, string>
  body: Record<string, unknown>
}

/** What was not raised on purpose becomes an internal error, the faults of the caller and of the disk excepted. */
export function toCorunError(thrown: unknown): CorunError {
  const error = orDiskFull(thrown, 'what the request asks to keep')
  if (error instanceof CorunError) return error
  const { code, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
  if (code === 'ECONNRESET' && message === 'aborted') {
    return new CorunError('client-aborted', 'the caller went away while its body was read', { cause: error })
  }
  return new CorunError('internal-error', 'unexpected error', { cause: error })
}

export function problemOf(error: CorunError, requestId: string): Problem {
  const { retryAfter, allow, ...body } = problemBody(error, requestId)
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' }
  if (typeof retryAfter === 'number') headers['retry-after'] = String(retryAfter)
  if (typeof allow === 'string') headers.allow = allow
  if (error.status === 401) headers['www-authenticate'] = 'Bearer'
  return { status: error.status, headers, body }
}
