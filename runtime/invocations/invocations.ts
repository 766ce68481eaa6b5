/**
 * Asynchronous invocations: on disk before they are accepted, run through the dispatcher like any request, their results
 * kept for a while. At least once: what a crash interrupts runs again. Leaves HTTP to http/ and callbacks to deliveries.ts.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { CorunError } from '../core/errors.ts'
import type { InvocationRequest } from '../core/messages.ts'
import { problemBody } from '../core/problem-body.ts'
import type { Dispatcher, Invocation } from '../dispatch/dispatcher.ts'
import type { Logger } from '../observe/log.ts'
import { readBounded } from './bounded-body.ts'
import { createDeliveries, type DeliveriesOptions } from './deliveries.ts'
import { openInvocationFiles } from './files.ts'
import {
  type CallbackRecord,
  type InvocationView,
  type RequestRecord,
  type ResultRecord,
  viewResult,
} from './record.ts'
import { hasBegun, isRefusal, mostStarts, refusedDelayMs } from './retry.ts'

export interface InvocationsOptions {
  folder: string
  dispatcher: Pick<Dispatcher, 'invoke' | 'stats'>
  /** How long results are kept. */
  ttlMs: number
  /** Bounds of what is on disk, results too. */
  limit: number
  maxBytes: number
  /** A larger answer is not kept, and the invocation fails. */
  maxResultBytes: number
  callbackSecret: string | undefined
  clock: Clock
  log: Logger
  post?: NonNullable<DeliveriesOptions['post']>
}

export interface AsyncStats {
  waiting: number
  running: number
  kept: number
  bytes: number
}

export interface Invocations {
  /** Runs what an earlier process left. Call it when functions are deployed. */
  start(): void
  /** Resolves to its id when it is on disk. Throws `invocations-full`. */
  accept(
    name: string,
    request: InvocationRequest,
    asked: Pick<RequestRecord, 'auth' | 'callback'>,
  ): Promise<string>
  /** Whose it is, and whether that takes a key. Throws `unknown-invocation`, also when its time is over. */
  owner(id: string): Pick<RequestRecord, 'function' | 'auth'>
  get(id: string): Promise<InvocationView>
  stats(): AsyncStats
  /** Begins nothing more; resolves when what runs has ended. The rest waits for the next start. */
  close(): Promise<void>
}

interface Entry {
  request: RequestRecord
  state: 'waiting' | 'running' | 'ended'
  result?: ResultRecord | undefined
  callback?: CallbackRecord | undefined
  starts: number
  refused: number
  bytes: number
}

const sweepMs = 60_000

export async function openInvocations(options: InvocationsOptions): Promise<Invocations> {
  const { folder, dispatcher, ttlMs, limit, maxBytes, maxResultBytes, clock, log, post } = options
  const files = await openInvocationFiles(folder, log)
  const entries = new Map<string, Entry>()
  const waiting = new Set<Entry>()
  const active = new Set<Promise<void>>()
  const delays = new Set<NodeJS.Timeout>()
  const deliveries = createDeliveries({
    secret: options.callbackSecret,
    clock,
    log,
    ...(post === undefined ? {} : { post }),
  })
  let bytes = 0
  let started = false
  let closing = false

  for (const { request, result, callback, starts, bytes: size } of await files.load()) {
    const state = result === undefined ? 'waiting' : 'ended'
    const entry: Entry = { request, state, result, callback, starts, refused: 0, bytes: size }
    entries.set(request.id, entry)
    bytes += size
    if (state === 'waiting') waiting.add(entry)
  }
  const sweeper = setInterval(sweep, Math.min(sweepMs, ttlMs)).unref()

  const isOver = ({ result }: Entry) =>
    result !== undefined && Date.parse(result.finishedAt) + ttlMs <= clock.now()

  function sweep(): void {
    for (const entry of entries.values()) {
      if (isOver(entry))
        void forget(entry).catch(error => log.warn({ err: error }, 'a result was not removed'))
    }
  }

  async function forget({ request: { id }, bytes: size }: Entry): Promise<void> {
    if (!entries.delete(id)) return
    bytes -= size
    deliveries.forget(id)
    await files.remove(id)
  }

  /** As many at once as there are slots: those that wait for one are on disk already, and need no place in the queue. */
  function pump(): void {
    for (const entry of waiting) {
      if (!started || closing || active.size >= dispatcher.stats().slots) return
      waiting.delete(entry)
      entry.state = 'running'
      const run = runOne(entry)
        .catch(error => lose(entry, error))
        .finally(() => {
          active.delete(run)
          pump()
        })
      active.add(run)
    }
  }

  async function runOne(entry: Entry): Promise<void> {
    const { id, function: name, requestId, method, url, headers } = entry.request
    if (entry.starts >= mostStarts) {
      const why = `invocation ${id} began ${entry.starts} times, and each time the server ended or ran out of memory`
      return finish(entry, new CorunError('invocation-abandoned', why))
    }
    const body = await files.readBody(id, 'request')
    entry.starts += 1
    await files.writeStarts(id, entry.starts)
    try {
      const request: InvocationRequest = { requestId, method, url, headers, body, trigger: { kind: 'async' } }
      const invocation = await dispatcher.invoke(name, request)
      await finish(entry, invocation, await readBounded(invocation.answer.body, maxResultBytes))
    } catch (error) {
      const inTime = Date.parse(entry.request.createdAt) + ttlMs > clock.now()
      if (error instanceof CorunError && isRefusal(error.code) && inTime) {
        return await postpone(entry, error.code)
      }
      await finish(
        entry,
        error instanceof CorunError ? error : new CorunError('internal-error', String(error)),
      )
    }
  }

  /** The disk does not take it: the caller is told so, and the next start runs it again. */
  function lose(entry: Entry, error: unknown): void {
    log.error({ invocation: entry.request.id, err: error }, 'an invocation was not kept')
    const problem = problemBody(new CorunError('internal-error', 'not kept'), entry.request.requestId)
    const finishedAt = new Date(clock.now()).toISOString()
    Object.assign(entry, {
      state: 'ended',
      result: { version: 1, request: entry.request, finishedAt, problem },
    })
  }

  /** It waits for its turn again, on disk as ever. */
  async function postpone(entry: Entry, code: string): Promise<void> {
    entry.state = 'waiting'
    entry.refused += 1
    if (!hasBegun(code)) entry.starts -= 1
    await files.writeStarts(entry.request.id, entry.starts)
    if (closing) return
    const delay = setTimeout(() => {
      delays.delete(delay)
      waiting.add(entry)
      pump()
    }, refusedDelayMs(entry.refused)).unref()
    delays.add(delay)
  }

  async function finish(entry: Entry, end: Invocation | CorunError, body = new Uint8Array()): Promise<void> {
    const { request } = entry
    const ended = { version: 1 as const, request, finishedAt: new Date(clock.now()).toISOString() }
    const result: ResultRecord =
      end instanceof CorunError
        ? { ...ended, problem: problemBody(end, request.requestId) }
        : {
            ...ended,
            deployment: end.deployment.id,
            queueMs: end.queueMs,
            runMs: end.runMs,
            head: { status: end.answer.status, headers: end.answer.headers },
          }
    const size = await files.writeResult(result, body)
    bytes += size - entry.bytes
    Object.assign(entry, { result, state: 'ended', bytes: size })
    deliver(entry)
  }

  function deliver(entry: Entry): void {
    const { id, callback: url } = entry.request
    entry.callback ??= url === undefined ? undefined : { version: 1, state: 'pending', attempts: 0 }
    if (url === undefined || entry.callback?.state !== 'pending') return
    deliveries.add({
      id,
      url,
      record: entry.callback,
      body: async () => JSON.stringify({ ...(await view(entry)), callback: undefined }),
      async keep(record) {
        entry.callback = record
        if (!entries.has(id)) return
        await files.writeCallback(id, record)
        // Its time was over meanwhile: its other files have gone before this one came.
        if (!entries.has(id)) await files.remove(id)
      },
    })
  }

  function known(id: string): Entry {
    const entry = entries.get(id)
    if (entry !== undefined && !isOver(entry)) return entry
    throw new CorunError('unknown-invocation', `there is no invocation "${id}", or its time is over`)
  }

  async function view({ request, state, result, callback }: Entry): Promise<InvocationView> {
    const { id, function: name, requestId, createdAt, callback: url } = request
    const ended = result?.problem === undefined ? 'done' : 'failed'
    return {
      id,
      function: name,
      requestId,
      state: state === 'ended' ? ended : state,
      createdAt,
      finishedAt: result?.finishedAt,
      deployment: result?.deployment,
      result: result?.head && viewResult(result.head, await files.readBody(id, 'result')),
      error: result?.problem,
      callback:
        url === undefined || callback === undefined ? undefined : { ...withoutVersion(callback), url },
    }
  }

  return {
    start() {
      started = true
      for (const entry of entries.values()) if (entry.state === 'ended') deliver(entry)
      pump()
    },
    async accept(name, { requestId, method, url, headers, body }, asked) {
      if (closing) throw new CorunError('shutting-down', 'the server takes no new requests')
      const expected = body.byteLength
      if (entries.size >= limit || bytes + expected > maxBytes) {
        throw new CorunError(
          'invocations-full',
          `${entries.size} asynchronous invocations are kept, in ${bytes} bytes; there is no room for another`,
          { details: { retryAfter: 30 } },
        )
      }
      const id = randomUUID()
      const createdAt = new Date(clock.now()).toISOString()
      const sent = { requestId, method, url, headers }
      const request = { version: 1 as const, id, function: name, ...sent, createdAt, ...asked }
      const entry: Entry = { request, state: 'waiting', starts: 0, refused: 0, bytes: expected }
      // Counted before it is written: those that come meanwhile see the room that is left.
      entries.set(id, entry)
      bytes += expected
      try {
        const size = await files.writeRequest(request, body)
        bytes += size - expected
        entry.bytes = size
      } catch (error) {
        entries.delete(id)
        bytes -= expected
        throw error
      }
      waiting.add(entry)
      pump()
      return id
    },
    owner: id => known(id).request,
    get: id => view(known(id)),
    stats: () => ({ waiting: waiting.size + delays.size, running: active.size, kept: entries.size, bytes }),
    async close() {
      closing = true
      clearInterval(sweeper)
      for (const delay of delays) clearTimeout(delay)
      await Promise.all([deliveries.close(), ...active])
    },
  }
}

const withoutVersion = ({ version: _, ...record }: CallbackRecord) => record
