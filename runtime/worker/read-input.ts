/** From the body of a request to what the definition's `input` declares. */
import { Tensor } from 'onnxruntime-node'
import type { ImageInput, InputSpec } from '../core/definition.ts'
import { CorunError } from '../core/errors.ts'
import { issuesText } from '../core/issues-text.ts'
import type { InvocationRequest } from '../core/messages.ts'
import { prepareImage } from '../images/prepare-image.ts'
import { fieldsOf, isForm, mediaType, pictureOf, readForm } from './form.ts'

export async function readInput(input: InputSpec | undefined, request: InvocationRequest): Promise<unknown> {
  if (input === undefined) return request.body
  if ('kind' in input && input.kind === 'image') {
    return pixelsOf(input, await pictureIn(request))
  }
  if (!('safeParseAsync' in input)) throw new TypeError('an input is image(...) or a zod schema')
  const result = await input.safeParseAsync(
    isForm(request) ? fieldsOf(await readForm(request)) : parseJson(request),
  )
  if (result.success) return result.data
  const { issues } = result.error
  throw new CorunError('invalid-input', issuesText(result.error), {
    details: { issues: issues.map(({ path, message, code }) => ({ path, message, code })) },
  })
}

/** The one picture that a request brings. */
export const pictureIn = async (request: InvocationRequest): Promise<Uint8Array> =>
  isForm(request) ? pictureOf(await readForm(request)) : request.body

/** float32 `[1, channels, height, width]`. */
export async function pixelsOf(input: ImageInput, picture: Uint8Array): Promise<Tensor> {
  const { data, dims } = await prepareImage(picture, input)
  return new Tensor('float32', data, dims)
}

/** An empty body is `undefined`, for schemas that allow it. */
function parseJson(request: InvocationRequest): unknown {
  if (request.body.byteLength === 0) return undefined
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(request.body))
  } catch (cause) {
    const type = mediaType(request)
    const code = /[/+]json$/.test(type) ? 'invalid-input' : 'unsupported-media-type'
    throw new CorunError(
      code,
      `the body is not JSON (content type: ${type || 'none'}); expected JSON or multipart/form-data`,
      { cause },
    )
  }
}
