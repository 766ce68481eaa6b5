/**
 * Slots and the first-come-first-served queue in front of them, with deadlines. Owns when work starts, what starts
 * together and who still waits; who gets in is decided before (admission.ts), and what the work is, by the dispatcher.
 */
import type { Clock } from '../core/clock.ts'
import { CorunError } from '../core/errors.ts'
import { chooseBatch } from './choose-batch.ts'

/** Whoever waits for the answer; a web `Request` is one. */
export interface Caller {
  /** Costs something when it is first asked for. */
  readonly signal: AbortSignal
}

export interface WorkLimits {
  /** From now to the answer, waiting included. */
  timeoutMs: number
  /** Names the work in the error of a missed deadline. */
  name: string
  /** Works with the same key may share a slot; without one a work has a slot of its own. */
  key?: string | undefined
  /** The most that share a slot when this one is the first of them, where that is more than the queue's batch. */
  together?: number | undefined
  /** Its signal aborts when the caller goes away: work that has not begun is then dropped. Asked for by work that waits. */
  caller?: Caller | undefined
  /** Called once, when the work has left: dropped from the queue, or its run has really ended. */
  onLeave(): void
}

/** One use of a slot. Works that go out together are started with the same object, in one turn. */
export interface SlotUse {
  /** Works that share it. */
  readonly size: number
}

export interface WorkStart {
  queueMs: number
  /** What the deadline leaves for the run. */
  remainingMs: number
  use: SlotUse
}

export interface SlotLimits {
  slots: number
  /** The most works that share a slot. */
  batch: number
}

export interface SlotQueueOptions extends SlotLimits {
  clock: Clock
  /** Told when a slot that was used with a key is free again. */
  onUsed?(used: { key: string; size: number; ms: number }): void
  /** Told how many slots are in use when that has changed. */
  onRunning?(running: number): void
}

export interface SlotQueue {
  readonly slots: number
  readonly batch: number
  /** Slots that are in use. */
  readonly running: number
  readonly queued: number
  /** Works with a key that wait, and that run, by key. */
  readonly waitingByKey: ReadonlyMap<string, number>
  readonly runningByKey: ReadonlyMap<string, number>
  /**
   * Runs `work` in a slot, at once or when one is free. The promise settles at the deadline at the latest; the
   * slot is held until the run has ended, because a run inside the engine cannot be stopped.
   */
  submit<T>(work: (start: WorkStart) => Promise<T>, limits: WorkLimits): Promise<T>
  /** Takes effect for what starts from now on; what runs is left alone. */
  setLimits(limits: SlotLimits): void
  /** Resolves when nothing waits and nothing runs. */
  idle(): Promise<void>
}

interface Waiting extends Pick<WorkLimits, 'together'> {
  key: string | undefined
  /** `onEnded` is called when its run has ended, however. */
  start(use: SlotUse, onEnded: () => void): void
}

export function createSlotQueue(options: SlotQueueOptions): SlotQueue {
  const { clock, onUsed = () => {}, onRunning = () => {}, ...initial } = options
  let { slots, batch } = initial
  let running = 0
  let toldRunning = 0
  // A set keeps the order of arrival and forgets an entry from the middle in constant time.
  const waiting = new Set<Waiting>()
  const waitingByKey = new Map<string, number>()
  const runningByKey = new Map<string, number>()
  const idleListeners: (() => void)[] = []

  function advance(): void {
    while (running < slots && waiting.size > 0) use(chooseBatch(waiting, { batch, free: slots - running }))
    if (running !== toldRunning) {
      toldRunning = running
      onRunning(running)
    }
    if (running === 0 && waiting.size === 0) {
      for (const listener of idleListeners.splice(0)) listener()
    }
  }

  function use(together: readonly Waiting[]): void {
    const slotUse: SlotUse = { size: together.length }
    const key = together[0]?.key
    const startedAt = clock.monotonic()
    running += 1
    for (const entry of together) leaveQueue(entry)
    count(runningByKey, key, together.length)
    let left = together.length
    const onEnded = () => {
      left -= 1
      if (left > 0) return
      running -= 1
      count(runningByKey, key, -together.length)
      if (key !== undefined) onUsed({ key, size: together.length, ms: clock.monotonic() - startedAt })
      advance()
    }
    for (const entry of together) entry.start(slotUse, onEnded)
  }

  function leaveQueue(entry: Waiting): boolean {
    const waited = waiting.delete(entry)
    if (waited) count(waitingByKey, entry.key, -1)
    return waited
  }

  function submit<T>(work: (start: WorkStart) => Promise<T>, limits: WorkLimits): Promise<T> {
    const { timeoutMs, name, key, together, caller, onLeave } = limits
    const arrivedAt = clock.monotonic()
    return new Promise<T>((resolve, reject) => {
      let signal: AbortSignal | undefined
      const settle = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      const giveUp = (code: 'deadline-exceeded' | 'client-aborted', message: string) => {
        settle()
        reject(new CorunError(code, message))
        if (leaveQueue(entry)) {
          onLeave()
          advance()
        }
      }
      const onAbort = () => {
        if (waiting.has(entry)) giveUp('client-aborted', 'the caller went away before the request began')
      }
      const timer = setTimeout(
        () => giveUp('deadline-exceeded', `function "${name}" did not answer within ${timeoutMs} ms`),
        timeoutMs,
      )
      const start: Waiting['start'] = (use, onEnded) => {
        const queueMs = clock.monotonic() - arrivedAt
        work({ queueMs, remainingMs: Math.max(1, timeoutMs - queueMs), use })
          .then(resolve, reject)
          .finally(() => {
            settle()
            onLeave()
            onEnded()
          })
      }
      const entry: Waiting = { key, together, start }
      waiting.add(entry)
      count(waitingByKey, key, 1)
      advance()
      if (!waiting.has(entry)) return
      signal = caller?.signal
      if (signal?.aborted) onAbort()
      else signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  return {
    get slots() {
      return slots
    },
    get batch() {
      return batch
    },
    get running() {
      return running
    },
    get queued() {
      return waiting.size
    },
    waitingByKey,
    runningByKey,
    submit,
    setLimits(next) {
      ;({ slots, batch } = next)
      advance()
    },
    idle: () =>
      running === 0 && waiting.size === 0
        ? Promise.resolve()
        : new Promise(resolve => {
            idleListeners.push(resolve)
          }),
  }
}

/** Keys with nothing to count are forgotten: names of functions come and go. */
function count(counts: Map<string, number>, key: string | undefined, change: number): void {
  if (key === undefined) return
  const next = (counts.get(key) ?? 0) + change
  if (next > 0) counts.set(key, next)
  else counts.delete(key)
}
