/**
 * Several requests to one thread as one task: each is answered as soon as it is done, not when all are. When the
 * thread ends, nobody can tell which of the rest ended it: each is run once more, alone.
 */
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import type { Deployment } from '../core/deployment.ts'
import type { BatchReply, InvocationCall, PoolReply } from '../core/messages.ts'
import type { Pool } from './pool.ts'

export interface BatchRun {
  /** One for each call, in their order. None rejects. */
  replies: Promise<PoolReply<'invoke'>>[]
  /** Resolves when the thread is free again. */
  ended: Promise<PoolReply<'invoke-batch'>>
}

export function invokeBatch(
  { run }: Pick<Pool, 'run'>,
  deployment: Deployment,
  calls: InvocationCall[],
): BatchRun {
  const { port1: replyPort, port2: port } = new MessageChannel()
  const waiting = new Map<number, (reply: PoolReply<'invoke'>) => void>()
  const replies = calls.map(
    (_, index) => new Promise<PoolReply<'invoke'>>(resolve => waiting.set(index, resolve)),
  )
  const settle = ({ index, reply }: BatchReply) => {
    waiting.get(index)?.(reply)
    waiting.delete(index)
  }
  const settleAll = (replies: BatchReply[]) => replies.forEach(settle)
  replyPort.on('message', settleAll)
  const startedAt = performance.now()
  const sizes = calls.map(({ request }) => request.body.byteLength)
  const ended = run<'invoke-batch'>({ type: 'invoke-batch', deployment, calls, port }).then(async end => {
    // The end of the task may overtake answers that were sent before it, on another port.
    for (
      let sent = receiveMessageOnPort(replyPort);
      sent !== undefined;
      sent = receiveMessageOnPort(replyPort)
    )
      settleAll(sent.message)
    replyPort.close()
    port.close()
    const rest = Array.from(waiting, async ([index, resolve]) => {
      const again =
        end.ok || end.lost !== true
          ? undefined
          : callAgain(calls[index], { at: startedAt, size: sizes[index] })
      if (again !== undefined) resolve(await run<'invoke'>({ type: 'invoke', deployment, ...again }))
      else resolve(end.ok ? unanswered : end)
    })
    await Promise.all(rest)
    return end
  })
  return { replies, ended }
}

/** Only a thread that breaks the protocol leaves a call without an answer. */
const unanswered: PoolReply<'invoke'> = {
  ok: false,
  error: { code: 'internal-error', message: 'the thread left a request of a batch unanswered' },
  runMs: 0,
}

/** Undefined when its deadline has passed, or its body went with the thread that it was moved to. */
function callAgain(
  call: InvocationCall | undefined,
  sent: { at: number; size: number | undefined },
): InvocationCall | undefined {
  const remainingMs = (call?.remainingMs ?? 0) - (performance.now() - sent.at)
  const isWhole = call?.request.body.byteLength === sent.size
  return call !== undefined && isWhole && remainingMs > 0 ? { ...call, remainingMs } : undefined
}
