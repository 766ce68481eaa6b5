/** The load of a probe: a closed loop on every thread, or Poisson arrivals that wait for one. */
import type { Deployment } from '../core/deployment.ts'
import type { InvocationCall, PoolReply } from '../core/messages.ts'
import { invokeBatch } from '../pool/invoke-batch.ts'
import type { Pool } from '../pool/pool.ts'
import { interleave, type Weighted } from './interleave.ts'
import type { ProbeJob } from './probe-job.ts'

export interface Target extends Weighted {
  deployment: Deployment
  headers: [string, string][]
  bodies: Uint8Array[]
}

export interface LoadContext {
  pool: Pool
  targets: readonly Target[]
  job: Pick<ProbeJob, 'threads' | 'batch' | 'rate'>
  random: () => number
  /** `startedAt`: when the request came, by performance.now(). */
  onReply(reply: PoolReply<'invoke'>, startedAt: number): void
  /** Memory did not hold a request, or a batch, whose requests are then answered one by one. */
  onOutOfMemory(): void
  /** That many tasks are in threads now. */
  onRunning(tasks: number): void
  /** Whether the load is to end. */
  ended(): boolean
}

/** Requests of each function that each thread answers before a load: it loads and compiles with the first. */
const warmRequests = 2

/**
 * The first request of a thread takes some 100 ms, and those that arrive meanwhile wait for it: neither is the load's.
 * Every thread answers some of each function; `onReply` is told of them.
 */
export async function warmThreads(context: LoadContext): Promise<void> {
  const { targets, job } = context
  for (let turn = 0; turn < warmRequests; turn += 1) {
    for (const target of targets) {
      const inThread = () => {
        const calls = Array.from({ length: job.batch }, (_, index) => callOf(target, turn + index))
        return send(context, target, calls, () => performance.now())
      }
      await Promise.all(Array.from({ length: job.threads }, inThread))
    }
  }
}

/** Resolves when the load has ended and every request of it has been answered. */
export function applyLoad(context: LoadContext): Promise<void> {
  return context.job.rate === null ? closedLoop(context) : openLoop(context, context.job.rate)
}

async function closedLoop(context: LoadContext): Promise<void> {
  const { targets, job, random, ended, onRunning } = context
  const order = interleave(targets, random)
  const turns = createTurns()
  const loop = async () => {
    while (!ended()) {
      const target = order.next().value
      const calls = Array.from({ length: job.batch }, () => callOf(target, turns(target)))
      const startedAt = performance.now()
      await send(context, target, calls, () => startedAt)
    }
  }
  // A thread is without a task for no longer than the next one takes to reach it.
  onRunning(job.threads)
  await Promise.all(Array.from({ length: job.threads }, loop))
}

/** A request waits while all threads are busy, and then goes out with others of its function, as the server's do. */
async function openLoop(context: LoadContext, rate: number): Promise<void> {
  const { targets, job, random, ended, onRunning } = context
  const order = interleave(targets, random)
  const turns = createTurns()
  const waiting: { target: Target; at: number }[] = []
  const out = new Set<Promise<void>>()
  const start = () => {
    while (out.size < job.threads && waiting[0] !== undefined) {
      const { target } = waiting[0]
      const alike = waiting.filter(each => each.target === target)
      const share = Math.ceil(alike.length / (job.threads - out.size))
      const together = alike.slice(0, Math.min(job.batch, share))
      for (const each of together) waiting.splice(waiting.indexOf(each), 1)
      const calls = together.map(() => callOf(target, turns(target)))
      const sent = send(context, target, calls, index => together[index]?.at ?? 0).then(() => {
        out.delete(sent)
        start()
      })
      out.add(sent)
    }
    onRunning(out.size)
  }
  let arrivesAt = performance.now()
  while (!ended()) {
    // Exponential gaps make a Poisson process. Times are those intended, so that a late timer hides no waiting.
    arrivesAt += (-Math.log(1 - random()) / rate) * 1000
    const waitMs = arrivesAt - performance.now()
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs))
    waiting.push({ target: order.next().value, at: arrivesAt })
    start()
  }
  // Who still waits belongs to no window any more.
  waiting.length = 0
  await Promise.all(out)
}

async function send(
  { pool, onReply, onOutOfMemory }: LoadContext,
  { deployment }: Target,
  calls: InvocationCall[],
  startedAt: (index: number) => number,
): Promise<void> {
  const answered = (reply: PoolReply<'invoke'>, index: number) => {
    if (!reply.ok && reply.error.code === 'out-of-memory') onOutOfMemory()
    onReply(reply, startedAt(index))
  }
  const [first] = calls
  if (calls.length === 1 && first !== undefined) {
    answered(await pool.run({ type: 'invoke', deployment, ...first }), 0)
    return
  }
  const { replies, ended } = invokeBatch(pool, deployment, calls)
  for (const [index, reply] of replies.entries()) void reply.then(reply => answered(reply, index))
  const end = await ended
  if (end.ok && end.result.outOfMemory) onOutOfMemory()
}

/** Bodies in turn, function by function. */
function createTurns(): (target: Target) => number {
  const turns = new Map<Target, number>()
  return target => {
    const turn = turns.get(target) ?? 0
    turns.set(target, turn + 1)
    return turn
  }
}

function callOf({ deployment, headers, bodies }: Target, turn: number): InvocationCall {
  // A copy: the pool transfers the buffer away.
  const body = bodies[turn % bodies.length]?.slice() ?? new Uint8Array()
  const method = body.byteLength > 0 ? 'POST' : 'GET'
  const url = `http://localhost/fn/${deployment.function}`
  return { request: { requestId: 'probe', method, url, headers, body }, remainingMs: 60_000 }
}
