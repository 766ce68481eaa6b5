/** The body of an RFC 9457 problem: what a client may know of an error. */
import type { CorunError } from './errors.ts'

/** These tell of faults inside a function or the server; their message is for the log. */
const privateCodes = new Set(['handler-error', 'internal-error'])

export function problemBody(
  { code, status, title, hint, message, details = {} }: CorunError,
  requestId: string,
): Record<string, unknown> {
  const detail = privateCodes.has(code) ? undefined : message
  return { type: `urn:corun:error:${code}`, title, status, code, detail, hint, requestId, ...details }
}
