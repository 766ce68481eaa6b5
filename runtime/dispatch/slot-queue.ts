/**
 * Slots and the first-come-first-served queue in front of them, with deadlines. Owns when work starts and who
 * still waits; who gets in is decided before (admission.ts), and what the work is, by the dispatcher.
 */
import type { Clock } from '../core/clock.ts'
import { CorunError } from '../core/errors.ts'

export interface WorkLimits {
  /** From now to the answer, waiting included. */
  timeoutMs: number
  /** Names the work in the error of a missed deadline. */
  name: string
  /** Aborts when the caller goes away: work that has not begun is then dropped. */
  signal?: AbortSignal | undefined
  /** Called once, when the work has left: dropped from the queue, or its run has really ended. */
  onLeave(): void
}

export interface WorkStart {
  queueMs: number
  /** What the deadline leaves for the run. */
  remainingMs: number
}

export interface SlotQueue {
  readonly slots: number
  readonly running: number
  readonly queued: number
  /**
   * Runs `work` in a slot, at once or when one is free. The promise settles at the deadline at the latest; the
   * slot is held until the run has ended, because a run inside the engine cannot be stopped.
   */
  submit<T>(work: (start: WorkStart) => Promise<T>, limits: WorkLimits): Promise<T>
  /** Takes effect for what starts from now on; what runs is left alone. */
  setSlots(slots: number): void
  /** Resolves when nothing waits and nothing runs. */
  idle(): Promise<void>
}

export function createSlotQueue(initialSlots: number, clock: Clock): SlotQueue {
  let slots = initialSlots
  let running = 0
  // A set keeps the order of arrival and forgets an entry from the middle in constant time.
  const waiting = new Set<() => void>()
  const idleListeners: (() => void)[] = []

  function advance(): void {
    for (const start of waiting) {
      if (running >= slots) break
      waiting.delete(start)
      start()
    }
    if (running === 0 && waiting.size === 0) {
      for (const listener of idleListeners.splice(0)) listener()
    }
  }

  function submit<T>(work: (start: WorkStart) => Promise<T>, limits: WorkLimits): Promise<T> {
    const { timeoutMs, name, signal, onLeave } = limits
    const arrivedAt = clock.monotonic()
    return new Promise<T>((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      const giveUp = (code: 'deadline-exceeded' | 'client-aborted', message: string) => {
        settle()
        reject(new CorunError(code, message))
        if (waiting.delete(start)) {
          onLeave()
          advance()
        }
      }
      const onAbort = () => {
        if (waiting.has(start)) giveUp('client-aborted', 'the caller went away before the request began')
      }
      const timer = setTimeout(
        () => giveUp('deadline-exceeded', `function "${name}" did not answer within ${timeoutMs} ms`),
        timeoutMs,
      )
      const start = () => {
        running += 1
        const queueMs = clock.monotonic() - arrivedAt
        work({ queueMs, remainingMs: Math.max(1, timeoutMs - queueMs) })
          .then(resolve, reject)
          .finally(() => {
            settle()
            running -= 1
            onLeave()
            advance()
          })
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      waiting.add(start)
      if (signal?.aborted) onAbort()
      else advance()
    })
  }

  return {
    get slots() {
      return slots
    },
    get running() {
      return running
    },
    get queued() {
      return waiting.size
    },
    submit,
    setSlots(next) {
      slots = next
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
