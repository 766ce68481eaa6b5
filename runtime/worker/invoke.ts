/** One request through a function: its input as declared, the handler, its output as declared. */
import type { FunctionContext } from '../core/definition.ts'
import type { InvocationAnswer, InvocationCall, InvocationRequest } from '../core/messages.ts'
import type { Logger } from '../observe/log.ts'
import { answerOf, responseAnswer } from './answer.ts'
import type { LoadedDeployment } from './deployments.ts'
import { readInput } from './read-input.ts'

/** The handler's signal aborts when `remainingMs` are over. `onRead` is called when the handler gets its input. */
export async function invoke(
  { deployment, checked, models }: Pick<LoadedDeployment, 'deployment' | 'checked' | 'models'>,
  { request, remainingMs }: InvocationCall,
  log: Logger,
  onRead: () => void = () => {},
): Promise<InvocationAnswer> {
  const { requestId } = request
  const { function: name, id: version } = deployment
  const context: FunctionContext = {
    models,
    signal: AbortSignal.timeout(Math.max(0, Math.ceil(remainingMs))),
    log: functionLog(log.child({ requestId, function: name, version })),
    requestId,
    deployment: { function: name, version },
  }
  if (checked.form === 'fetch') {
    onRead()
    return responseAnswer(await checked.definition.fetch(toWebRequest(request), context), name)
  }
  const { definition } = checked
  const input = await readInput(definition.input, request)
  onRead()
  // `readInput` makes what `input` declares; the type of that is the author's, not known here.
  const result: unknown = await definition.handler(input as never, context)
  return answerOf(result, definition.output, name)
}

function toWebRequest({ method, url, headers, body }: InvocationRequest): Request {
  const init: RequestInit = { method, headers }
  const bodyless = method === 'GET' || method === 'HEAD' || body.byteLength === 0
  // The bytes came alone over a thread border: their buffer is no SharedArrayBuffer.
  return new Request(url, bodyless ? init : { ...init, body: body as Uint8Array<ArrayBuffer> })
}

function functionLog(log: Logger): FunctionContext['log'] {
  return {
    debug: (message, fields) => log.debug(fields ?? {}, message),
    info: (message, fields) => log.info(fields ?? {}, message),
    warn: (message, fields) => log.warn(fields ?? {}, message),
    error: (message, fields) => log.error(fields ?? {}, message),
  }
}
