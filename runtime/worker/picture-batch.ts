/** A request that brings several pictures: read as such, answered in their order. Leaves the pictures to read-input.ts. */
import { CorunError, deserializeError, serializeError } from '../core/errors.ts'
import type { InvocationAnswer, InvocationRequest } from '../core/messages.ts'
import { problemBody } from '../core/problem-body.ts'
import { isForm, mediaType, picturesOf, readForm } from './form.ts'

/** One that cannot be read is an error in its place. */
export type Picture = Uint8Array | CorunError

/** Undefined when the request brings a single picture. Throws `invalid-input` when it brings too many, or no array. */
export async function readPictures(
  request: InvocationRequest,
  max: number,
): Promise<readonly Picture[] | undefined> {
  const pictures = isForm(request)
    ? await picturesOf(await readForm(request))
    : /^application\/(.+\+)?json$/.test(mediaType(request))
      ? parseArray(request.body).map(decodeBase64)
      : undefined
  if (pictures !== undefined && pictures.length > max) {
    throw new CorunError(
      'invalid-input',
      `the request has ${pictures.length} pictures; at most ${max} go together`,
    )
  }
  return pictures
}

function parseArray(body: Uint8Array): unknown[] {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (cause) {
    throw new CorunError('invalid-input', 'the body is not JSON; expected an array of base64 strings', {
      cause,
    })
  }
  if (Array.isArray(value)) return value
  throw new CorunError('invalid-input', `the body is ${typeof value}; expected an array of base64 strings`)
}

/** Plain base64, or a data URL of it. */
function decodeBase64(item: unknown): Picture {
  if (typeof item !== 'string') {
    return new CorunError('invalid-input', `a picture is ${typeof item}; expected a base64 string`)
  }
  const text = item.replace(/^data:[^,]*;base64,/, '')
  if (!/^[A-Za-z0-9+/_-]*={0,2}\s*$/.test(text)) {
    return new CorunError('invalid-input', 'a picture is not base64')
  }
  return new Uint8Array(Buffer.from(text, 'base64'))
}

/**
 * A JSON array in the order of the pictures: what the handler answered for each, null where that was nothing, and a
 * problem object (RFC 9457) where it failed.
 */
export async function answerPictures(
  answers: readonly Promise<InvocationAnswer>[],
  { requestId }: Pick<InvocationRequest, 'requestId'>,
  onFailure: (error: CorunError, index: number) => void,
): Promise<InvocationAnswer> {
  const settled = await Promise.allSettled(answers)
  const items = settled.map((result, index) => {
    if (result.status === 'fulfilled') return itemOf(result.value)
    const error = deserializeError(serializeError(result.reason, 'handler-error'))
    onFailure(error, index)
    return JSON.stringify(problemBody(error, requestId))
  })
  const body = new TextEncoder().encode(`[${items.join(',')}]`)
  return { status: 200, headers: [['content-type', 'application/json']], body }
}

/** JSON goes in as it is, other bytes as base64. */
function itemOf({ status, headers, body }: InvocationAnswer): string {
  if (status === 204) return 'null'
  const isJson = /\bjson\b/.test(new Headers(headers).get('content-type') ?? '')
  return isJson ? new TextDecoder().decode(body) : JSON.stringify(Buffer.from(body).toString('base64'))
}
