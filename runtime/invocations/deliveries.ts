/** Callbacks until they are taken or given up, over restarts. What one brings is asked for when it goes out. */
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../observe/log.ts'
import { type CallbackMessage, postCallback } from './callback.ts'
import type { CallbackRecord } from './record.ts'
import { callbackDelayMs, callbackVerdict } from './retry.ts'

/** After a start all that is pending may be due; each has its result in memory while it is under way. */
const mostAtOnce = 16

export interface Delivery {
  id: string
  url: string
  record: CallbackRecord
  body(): Promise<string>
  /** Resolves when the record is on disk. */
  keep(record: CallbackRecord): Promise<void>
}

export interface DeliveriesOptions {
  secret: string | undefined
  clock: Clock
  log: Logger
  random?: () => number
  /** Default: callback.ts. */
  post?: (
    url: string,
    message: CallbackMessage,
    secret: string | undefined,
    signal: AbortSignal,
  ) => Promise<number | string>
}

export interface Deliveries {
  /** Goes out at once, or when its record says. */
  add(delivery: Delivery): void
  forget(id: string): void
  /** Sends nothing more; resolves when what was sent is recorded. */
  close(): Promise<void>
}

export function createDeliveries(options: DeliveriesOptions): Deliveries {
  const { secret, clock, log, random = Math.random, post = postCallback } = options
  const timers = new Map<string, NodeJS.Timeout>()
  /** Those whose time has come and that wait for a place. */
  const due: Delivery[] = []
  let underWay = 0
  const keeping = new Set<Promise<void>>()
  const closing = new AbortController()

  function arm(delivery: Delivery, delayMs: number): void {
    const whenDue = () => {
      due.push(delivery)
      pump()
    }
    timers.set(delivery.id, setTimeout(whenDue, Math.max(0, delayMs)).unref())
  }

  function pump(): void {
    while (underWay < mostAtOnce && !closing.signal.aborted) {
      const delivery = due.shift()
      if (delivery === undefined) return
      if (!timers.has(delivery.id)) continue
      underWay += 1
      void attempt(delivery).finally(() => {
        underWay -= 1
        pump()
      })
    }
  }

  /** Never rejects. */
  async function attempt(delivery: Delivery): Promise<void> {
    const { id, url, record } = delivery
    const last = await send(delivery).catch(error => String(error))
    // What was cut off by our own end is tried again by the next start; what was forgotten is nobody's.
    if (closing.signal.aborted || !timers.has(id)) return
    const attempts = record.attempts + 1
    const verdict = callbackVerdict(last)
    const delayMs = verdict === 'retry' ? callbackDelayMs(attempts, random()) : undefined
    const fields = { invocation: id, url, attempts, last }
    if (delayMs === undefined) {
      timers.delete(id)
      const state = verdict === 'delivered' ? 'delivered' : 'failed'
      await kept(delivery, { version: 1, state, attempts, last })
      if (state === 'failed') log.warn(fields, 'a callback is given up')
      return
    }
    log.info({ ...fields, delayMs }, 'a callback was not taken, and is tried again')
    const next: CallbackRecord = {
      version: 1,
      state: 'pending',
      attempts,
      last,
      nextAttemptAt: new Date(clock.now() + delayMs).toISOString(),
    }
    await kept(delivery, next)
    arm({ ...delivery, record: next }, delayMs)
  }

  const send = async ({ id, url, body }: Delivery) =>
    post(url, { id, now: clock.now(), body: await body() }, secret, closing.signal)

  /** A disk that takes no more is no reason to tell nobody. */
  async function kept({ id, keep }: Delivery, record: CallbackRecord): Promise<void> {
    const work = keep(record).catch(error =>
      log.error({ invocation: id, err: error }, 'a callback was not recorded'),
    )
    keeping.add(work)
    await work
    keeping.delete(work)
  }

  return {
    add(delivery) {
      const { nextAttemptAt } = delivery.record
      arm(delivery, nextAttemptAt === undefined ? 0 : Date.parse(nextAttemptAt) - clock.now())
    },
    forget(id) {
      clearTimeout(timers.get(id))
      timers.delete(id)
    },
    async close() {
      closing.abort()
      for (const timer of timers.values()) clearTimeout(timer)
      await Promise.all(keeping)
    },
  }
}
