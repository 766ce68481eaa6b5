/** One request through a function: its input as declared, the handler, its output as declared. */
import type { MessagePort } from 'node:worker_threads'
import type { FunctionContext, FunctionLog, ImageInput } from '../core/definition.ts'
import type { Deployment } from '../core/deployment.ts'
import { CorunError } from '../core/errors.ts'
import type {
  InvocationAnswer,
  InvocationCall,
  InvocationRequest,
  ModelSaid,
  StreamStart,
} from '../core/messages.ts'
import { sniffFormat } from '../images/sniff-format.ts'
import type { Logger } from '../observe/log.ts'
import { answerOf, headAlone, responseAnswer, whole } from './answer.ts'
import { isCaptured } from './capture.ts'
import { openDataFolder } from './data-folder.ts'
import { createDeadline, type Deadline } from './deadline.ts'
import type { LoadedDeployment } from './deployments.ts'
import { functionLog } from './function-log.ts'
import { type SharedRuns, shareRuns } from './model-batcher.ts'
import { answerPictures, readPictures } from './picture-batch.ts'
import { pictureIn, pixelsOf, readInput } from './read-input.ts'
import { sendPieces } from './stream.ts'
import { watchModels } from './watched-models.ts'
import { toWebRequest } from './web-request.ts'

export interface InvokeOptions {
  log: Logger
  /** With what its model calls share runs. Default: with nothing. */
  shared?: SharedRuns
  /** Called when the handler gets its input. */
  onRead?: () => void
  /** Takes an answer that begins before it ends. Default: answers are given whole. */
  post?: (start: StreamStart, transfer: [MessagePort]) => void
}

type Invoked = Pick<LoadedDeployment, 'deployment' | 'checked' | 'models' | 'handles' | 'watched' | 'env'>

/** One request; the answer also tells what the models said, and holds the picture where it is captured. */
export async function invoke(
  loaded: Invoked,
  call: InvocationCall,
  options: InvokeOptions,
): Promise<InvocationAnswer> {
  const said: ModelSaid[] = []
  const answer = await answerCall(loaded, call, options, said)
  if (said.length === 0) return answer
  const { capture } = loaded.deployment.description
  const kept = capture !== undefined && !answer.severalPictures
  const picture =
    kept && isCaptured(capture, said.at(-1)?.probability, Math.random)
      ? await pictureIn(call.request)
      : undefined
  const format = picture && sniffFormat(picture)
  const captured = picture && format ? { captured: { body: picture, format } } : {}
  return { ...answer, said, ...captured }
}

async function answerCall(
  loaded: Invoked,
  { key, request, remainingMs }: InvocationCall,
  { log, shared, onRead = () => {}, post }: InvokeOptions,
  said: ModelSaid[],
): Promise<InvocationAnswer> {
  const { deployment, checked, env, watched } = loaded
  const { function: name } = deployment
  const deadline = createDeadline(remainingMs)
  const contextOf = (models: LoadedDeployment['models']) =>
    createContext({ deployment, models: watchModels(models, watched, said), env, request, deadline, log })
  const streams = key !== undefined && post !== undefined
  const send = streams ? sendPieces(key, post, deadline.abort) : whole
  const unfinished = request.method === 'HEAD' ? headAlone : send
  if (checked.form === 'fetch') {
    onRead()
    const context = contextOf(shared?.models ?? loaded.models)
    return responseAnswer(await checked.definition.fetch(toWebRequest(request), context), name, unfinished)
  }
  const { input, output, batch } = checked.definition
  const pictures = batch === undefined ? undefined : await readPictures(request, batch.max)
  if (pictures === undefined) {
    const read = await readInput(input, request)
    onRead()
    const context = contextOf(shared?.models ?? loaded.models)
    // `readInput` makes what `input` declares; the type of that is the author's, not known here.
    return answerOf(await checked.definition.handler(read as never, context), output, name, unfinished)
  }
  const { batcher, models } = shared ?? shareRuns(loaded)
  const members = pictures.map(picture => ({ picture, read: batcher.reading() }))
  onRead()
  const answers = members.map(async ({ picture, read }) => {
    try {
      if (picture instanceof CorunError) throw picture
      // Only pictures come in batches: the definition was checked.
      const pixels = await pixelsOf(input as ImageInput, picture)
      read()
      return await answerOf(
        await checked.definition.handler(pixels as never, contextOf(models)),
        output,
        name,
      )
    } finally {
      read()
    }
  })
  const answer = await answerPictures(answers, request, (err, index) => {
    if (err.status < 500) return
    log.error({ requestId: request.requestId, function: name, index, err }, 'a picture of a batch failed')
  })
  return { ...answer, severalPictures: true }
}

interface ContextParts {
  deployment: Deployment
  models: FunctionContext['models']
  env: FunctionContext['env']
  request: InvocationRequest
  deadline: Deadline
  log: Logger
}

function createContext({ deployment, models, env, request, deadline, log }: ContextParts): FunctionContext {
  const { requestId, trigger = { kind: 'http' } } = request
  const { function: name, id: version } = deployment
  let ownLog: FunctionLog | undefined
  // Signal and log are made when a handler asks for them: most ask for neither, and each costs more than a short handler.
  return {
    models,
    env,
    get dataFolder() {
      return openDataFolder(deployment)
    },
    get signal() {
      return deadline.signal
    },
    get log() {
      ownLog ??= functionLog(log.child({ requestId, function: name, version }))
      return ownLog
    },
    requestId,
    trigger,
    deployment: { function: name, version },
  }
}
