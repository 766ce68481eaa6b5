/** Gathers the requests that share a slot into one task for a thread. */
import type { Deployment } from '../core/deployment.ts'
import type { InvocationCall, PoolReply } from '../core/messages.ts'
import { invokeBatch } from '../pool/invoke-batch.ts'
import type { Pool } from '../pool/pool.ts'
import type { SlotUse } from './slot-queue.ts'

export interface SendTogetherOptions extends Pick<Pool, 'run'> {
  /** A run of several rows did not fit into memory; `size`: requests of the batch. */
  onBatchOutOfMemory(size: number): void
  /** Told of every run that a thread has answered: the function, how long it took there, and requests that it was for. */
  onRan(name: string, run: { ms: number; size: number }): void
}

/** Answers one request of the use of a slot; all of them are sent when they have started, which they do in one turn. */
export type SendTogether = (
  use: SlotUse,
  deployment: Deployment,
  call: InvocationCall,
) => Promise<PoolReply<'invoke'>>

interface Member {
  deployment: Deployment
  call: InvocationCall
  answer(reply: PoolReply<'invoke'> | Promise<PoolReply<'invoke'>>): void
}

export function createSendTogether({ run, onBatchOutOfMemory, onRan }: SendTogetherOptions): SendTogether {
  const gathering = new Map<SlotUse, Member[]>()

  function send(members: readonly Member[]): void {
    const [first, ...others] = members
    if (first === undefined) return
    const { deployment, call } = first
    if (others.length === 0) {
      const answered = run({ type: 'invoke', deployment, ...call })
      first.answer(answered)
      void answered.then(({ runMs }) => onRan(deployment.function, { ms: runMs, size: 1 }))
      return
    }
    // One turn, one deployment: a swap cannot come between them.
    const calls = members.map(member => member.call)
    const { replies, ended } = invokeBatch({ run }, deployment, calls)
    for (const [index, reply] of replies.entries()) members[index]?.answer(reply)
    void ended.then(end => {
      onRan(deployment.function, { ms: end.runMs, size: members.length })
      if (end.ok && end.result.outOfMemory) onBatchOutOfMemory(members.length)
    })
  }

  return (use, deployment, call) =>
    new Promise(answer => {
      const members = gathering.get(use) ?? []
      if (members.length === 0) {
        gathering.set(use, members)
        queueMicrotask(() => {
          gathering.delete(use)
          send(members)
        })
      }
      members.push({ deployment, call, answer })
    })
}
