/** From the body of a request to what the definition's `input` declares. */
import { Tensor } from 'onnxruntime-node'
import type { InputSpec } from '../core/definition.ts'
import { issuesText } from '../core/definition-schema.ts'
import { CorunError } from '../core/errors.ts'
import type { InvocationRequest } from '../core/messages.ts'
import { prepareImage } from '../images/prepare-image.ts'

export async function readInput(input: InputSpec | undefined, request: InvocationRequest): Promise<unknown> {
  if (input === undefined) return request.body
  if ('kind' in input && input.kind === 'image') {
    const { data, dims } = await prepareImage(request.body, input)
    return new Tensor('float32', data, dims)
  }
  if (!('safeParseAsync' in input)) throw new TypeError('an input is image(...) or a zod schema')
  const result = await input.safeParseAsync(parseJson(request))
  if (result.success) return result.data
  const { issues } = result.error
  throw new CorunError('invalid-input', issuesText(result.error), {
    details: { issues: issues.map(({ path, message, code }) => ({ path, message, code })) },
  })
}

/** An empty body is `undefined`, for schemas that allow it. */
function parseJson({ body, headers }: InvocationRequest): unknown {
  if (body.byteLength === 0) return undefined
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (cause) {
    const contentType = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? 'none'
    const isJson = /[/+]json\b/i.test(contentType)
    const code = isJson ? 'invalid-input' : 'unsupported-media-type'
    throw new CorunError(code, `the body is not JSON (content type: ${contentType}); expected JSON`, {
      cause,
    })
  }
}
