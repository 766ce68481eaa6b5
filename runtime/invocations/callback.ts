/**
 * One attempt to bring a result to its callback, signed after Standard Webhooks 1.0: HMAC-SHA256 over
 * `<id>.<timestamp>.<body>`. A receiver that refuses old timestamps and ids that it has seen is safe from replays.
 */
import { createHmac } from 'node:crypto'
import { CorunError } from '../core/errors.ts'

/** `whsec_` and base64, as others write it, or any text. */
const keyOf = (secret: string): Buffer =>
  secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret)

export interface CallbackMessage {
  /** The same for every attempt. */
  id: string
  /** Of this attempt, ms since 1970. */
  now: number
  body: string
}

/** The headers of an attempt; without a secret there is no signature. */
export function callbackHeaders(
  { id, now, body }: CallbackMessage,
  secret: string | undefined,
): Record<string, string> {
  const timestamp = String(Math.floor(now / 1000))
  const headers = { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': timestamp }
  if (secret === undefined) return headers
  const mac = createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { ...headers, 'webhook-signature': `v1,${mac}` }
}

/** Throws `invalid-input` where the result would not be posted to. */
export function checkCallback(text: string, hosts: readonly string[] | undefined): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new CorunError('invalid-input', `callback "${text}" is not a URL of http or https`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new CorunError('invalid-input', 'a callback carries no user name and no password')
  }
  if (hosts !== undefined && !hosts.includes(url.hostname)) {
    throw new CorunError(
      'invalid-input',
      `callbacks may not go to "${url.hostname}"; --callback-hosts lists where`,
    )
  }
  return url.href
}

const attemptLimitMs = 10_000

/** Resolves to the status, or to why there is none. A redirect is not followed: where it leads was not checked. */
export async function postCallback(
  url: string,
  message: CallbackMessage,
  secret: string | undefined,
  signal: AbortSignal,
): Promise<number | string> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: callbackHeaders(message, secret),
      body: message.body,
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(attemptLimitMs)]),
    })
    await response.body?.cancel()
    return response.status
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    return cause instanceof Error ? cause.message : String(cause)
  }
}
