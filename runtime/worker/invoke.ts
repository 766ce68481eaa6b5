/** One request through a function: its input as declared, the handler, its output as declared. */
import type { MessagePort } from 'node:worker_threads'
import type { FunctionContext, FunctionLog } from '../core/definition.ts'
import type { InvocationAnswer, InvocationCall, InvocationRequest, StreamStart } from '../core/messages.ts'
import type { Logger } from '../observe/log.ts'
import { answerOf, headAlone, responseAnswer, whole } from './answer.ts'
import { createDeadline } from './deadline.ts'
import type { LoadedDeployment } from './deployments.ts'
import { readInput } from './read-input.ts'
import { sendPieces } from './stream.ts'

export interface InvokeOptions {
  log: Logger
  /** Called when the handler gets its input. */
  onRead?: () => void
  /** Takes an answer that begins before it ends. Default: answers are given whole. */
  post?: (start: StreamStart, transfer: [MessagePort]) => void
}

export async function invoke(
  { deployment, checked, models }: Pick<LoadedDeployment, 'deployment' | 'checked' | 'models'>,
  { key, request, remainingMs }: InvocationCall,
  { log, onRead = () => {}, post }: InvokeOptions,
): Promise<InvocationAnswer> {
  const { requestId } = request
  const { function: name, id: version } = deployment
  const deadline = createDeadline(remainingMs)
  let ownLog: FunctionLog | undefined
  // Made when a handler asks for them: most ask for neither, and each costs more than a short handler.
  const context: FunctionContext = {
    models,
    get signal() {
      return deadline.signal
    },
    get log() {
      ownLog ??= functionLog(log.child({ requestId, function: name, version }))
      return ownLog
    },
    requestId,
    deployment: { function: name, version },
  }
  const streams = key !== undefined && post !== undefined
  const send = streams ? sendPieces(key, post, deadline.abort) : whole
  const unfinished = request.method === 'HEAD' ? headAlone : send
  if (checked.form === 'fetch') {
    onRead()
    const response = await checked.definition.fetch(toWebRequest(request), context)
    return responseAnswer(response, name, unfinished)
  }
  const { definition } = checked
  const input = await readInput(definition.input, request)
  onRead()
  // `readInput` makes what `input` declares; the type of that is the author's, not known here.
  const result: unknown = await definition.handler(input as never, context)
  return answerOf(result, definition.output, name, unfinished)
}

function toWebRequest({ method, url, headers, body }: InvocationRequest): Request {
  const init: RequestInit = { method, headers }
  const bodyless = method === 'GET' || method === 'HEAD' || body.byteLength === 0
  // The bytes came alone over a thread border: their buffer is no SharedArrayBuffer.
  return new Request(url, bodyless ? init : { ...init, body: body as Uint8Array<ArrayBuffer> })
}

function functionLog(log: Logger): FunctionLog {
  return {
    debug: (message, fields) => log.debug(fields ?? {}, message),
    info: (message, fields) => log.info(fields ?? {}, message),
    warn: (message, fields) => log.warn(fields ?? {}, message),
    error: (message, fields) => log.error(fields ?? {}, message),
  }
}
