/** The entry of a pool thread: takes a task, answers it. What went wrong is an answer too; nothing is thrown. */
import { parentPort, threadId, workerData } from 'node:worker_threads'
import { serializeError } from '../core/errors.ts'
import {
  type BatchReply,
  failureCodes,
  type PoolReply,
  type PoolResults,
  type PoolTask,
  type ThreadSettings,
} from '../core/messages.ts'
import { prepareImage } from '../images/prepare-image.ts'
import { createLogger } from '../observe/log.ts'
import { createDeployments } from './deployments.ts'
import { describeFunction, describeRetraining } from './describe.ts'
import { type InvokeOptions, invoke } from './invoke.ts'
import { invokeBatch } from './invoke-batch.ts'

// The pool starts this thread with these settings, and nobody else does.
const settings = workerData as ThreadSettings
const log = createLogger(settings.logLevel).child({ thread: threadId })
const deployments = createDeployments({ ...settings, threadId })

// A promise that a handler forgot must not take the next request's thread with it. An exception that nobody caught
// does end the thread: what it interrupted is unknown.
process.on('unhandledRejection', error =>
  log.error({ err: error }, 'a promise was rejected and nobody waited for it'),
)

/** Beside the answers to tasks, on the thread's own port. */
const post: InvokeOptions['post'] = (start, transfer) => parentPort?.postMessage(start, transfer)

const perform: {
  [Type in PoolTask['type']]: (task: Extract<PoolTask, { type: Type }>) => Promise<PoolResults[Type]>
} = {
  describe: ({ function: name, bundle }) => describeFunction(name, bundle),
  'describe-retraining': ({ function: name, bundle }) => describeRetraining(name, bundle),
  async load({ deployment }) {
    const startedAt = performance.now()
    await deployments.get(deployment)
    return { loadMs: performance.now() - startedAt }
  },
  unload: async ({ deploymentId }) => ({ unloaded: await deployments.unload(deploymentId) }),
  async invoke({ deployment, ...call }) {
    return invoke(await deployments.get(deployment), call, { log, post })
  },
  async 'invoke-batch'({ deployment, calls, port }) {
    const loaded = await deployments.get(deployment)
    return invokeBatch(loaded, calls, { log, post }, reply => port.postMessage(reply, buffersOf(reply)))
  },
  async 'check-image'({ input, body }) {
    const { format, width, height } = await prepareImage(body, input)
    return { format, width, height }
  },
}

/** Answers own their bytes, so they leave without a copy. */
function buffersOf({ reply }: BatchReply): ArrayBuffer[] {
  const buffer = reply.ok ? reply.result.body.buffer : undefined
  return buffer instanceof ArrayBuffer && buffer.byteLength > 0 ? [buffer] : []
}

export default async function handle<Type extends PoolTask['type']>(
  task: Extract<PoolTask, { type: Type }>,
): Promise<PoolReply<Type>> {
  const startedAt = performance.now()
  // The table above has for each type the function of that type, which the compiler cannot follow through an index.
  const run = perform[task.type] as (task: PoolTask) => Promise<PoolResults[Type]>
  try {
    const result = await run(task)
    return { ok: true, result, runMs: performance.now() - startedAt }
  } catch (error) {
    return {
      ok: false,
      error: serializeError(error, failureCodes[task.type]),
      runMs: performance.now() - startedAt,
    }
  }
}
