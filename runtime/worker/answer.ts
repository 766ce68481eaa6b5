/** From what a handler returned to the answer that leaves the thread. */
import { validateHeaderValue } from 'node:http'
import type { z } from 'zod'
import { CorunError } from '../core/errors.ts'
import { issuesText } from '../core/issues-text.ts'
import type { AnswerHead, InvocationAnswer } from '../core/messages.ts'
import { join, type ReadyPart, readReady } from './read-ready.ts'

/** Nothing is 204, a Response is itself, bytes are bytes, and anything else is JSON, checked against `output`. */
export async function answerOf(
  result: unknown,
  output: z.ZodType | undefined,
  name: string,
  unfinished: Unfinished = whole,
): Promise<InvocationAnswer> {
  if (result instanceof Response) return responseAnswer(result, name, unfinished)
  const value = output === undefined ? result : await checked(result, output, name)
  if (value === undefined) return { status: 204, headers: [], body: new Uint8Array() }
  if (value instanceof Uint8Array) {
    // A view would take the whole buffer under it across the border; the handler's own bytes stay its own.
    const body = new Uint8Array(value)
    return { status: 200, headers: [['content-type', 'application/octet-stream']], body }
  }
  const body = new TextEncoder().encode(jsonOf(value, name))
  return { status: 200, headers: [['content-type', 'application/json']], body }
}

function jsonOf(value: unknown, name: string): string {
  let why = `JSON has no ${typeof value}`
  try {
    // The declared type forgets that a function or a symbol gives undefined.
    const json = JSON.stringify(value) as string | undefined
    if (json !== undefined) return json
  } catch (error) {
    why = error instanceof Error ? error.message : String(error)
  }
  throw new CorunError('invalid-output', `function "${name}" returned what JSON cannot hold: ${why}`)
}

async function checked(result: unknown, output: z.ZodType, name: string): Promise<unknown> {
  const parsed = await output.safeParseAsync(result)
  if (parsed.success) return parsed.data
  throw new CorunError('invalid-output', `function "${name}": ${issuesText(parsed.error)}`)
}

/**
 * A body that is there when the handler returns is part of the answer; one that is still being made is the business of
 * `unfinished`. Headers that may come several times, such as Set-Cookie, stay several.
 */
export async function responseAnswer(
  response: unknown,
  name: string,
  unfinished: Unfinished = whole,
): Promise<InvocationAnswer> {
  if (!(response instanceof Response)) {
    throw new CorunError(
      'invalid-output',
      `function "${name}" returned ${typeof response}; expected a Response`,
    )
  }
  const { status } = response
  // 101 changes the protocol of a connection that the handler does not have; 0 is Response.error().
  if (status < 200) {
    throw new CorunError(
      'invalid-output',
      `function "${name}" returned a Response with status ${status}; expected 200 to 599`,
    )
  }
  const head = { status, headers: headersOf(response, name) }
  if (response.body === null) return { ...head, body: new Uint8Array() }
  if (response.bodyUsed || response.body.locked) {
    throw new CorunError('invalid-output', `function "${name}" returned a Response whose body is in use`)
  }
  const part = await readReady(response.body)
  if (part.rest === undefined) return { ...head, body: join(part.pieces) }
  return unfinished(head, part)
}

/** Of an answer that was fetched the body is decoded already, whatever it was encoded by on its way here. */
function headersOf(response: Response, name: string): [string, string][] {
  const isFetched = response.url !== ''
  const headers = [...response.headers].filter(([header]) => !isFetched || header !== 'content-encoding')
  for (const [header, value] of headers) {
    try {
      validateHeaderValue(header, value)
    } catch {
      throw new CorunError(
        'invalid-output',
        `function "${name}" returned a header "${header}" with a character that HTTP does not allow`,
      )
    }
  }
  return headers
}

/** What becomes of an answer whose body is not there when its handler returns. */
export type Unfinished = (head: AnswerHead, part: ReadyPart) => Promise<InvocationAnswer>

/** It is waited for. */
export const whole: Unfinished = async (head, { pieces, rest }) => {
  for (let piece = await rest?.(); piece !== undefined; piece = await rest?.()) pieces.push(piece)
  return { ...head, body: join(pieces) }
}

/** Nobody wants it: the answer to HEAD. */
export const headAlone: Unfinished = async (head, { cancel }) => {
  await cancel(undefined)
  return { ...head, body: new Uint8Array() }
}
