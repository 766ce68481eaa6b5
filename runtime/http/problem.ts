/** Errors as RFC 9457 problem details. What was not raised on purpose is a code and a request id to a client. */
import { CorunError } from '../core/errors.ts'

/** These tell of faults inside a function or the server; their message is for the log. */
const privateCodes = new Set(['handler-error', 'internal-error'])

export interface Problem {
  status: number
  headers: Record<string, string>
  body: Record<string, unknown>
}

/** What was not raised on purpose becomes an internal error. */
export function toCorunError(error: unknown): CorunError {
  return error instanceof CorunError
    ? error
    : new CorunError('internal-error', 'unexpected error', { cause: error })
}

export function problemOf(error: CorunError, requestId: string): Problem {
  const { code, status, title, hint, details = {} } = error
  const { retryAfter, allow, ...rest } = details
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' }
  if (typeof retryAfter === 'number') headers['retry-after'] = String(retryAfter)
  if (typeof allow === 'string') headers.allow = allow
  if (code === 'unauthorized') headers['www-authenticate'] = 'Bearer'
  const detail = privateCodes.has(code) ? undefined : error.message
  return {
    status,
    headers,
    body: { type: `urn:corun:error:${code}`, title, status, code, detail, hint, requestId, ...rest },
  }
}
