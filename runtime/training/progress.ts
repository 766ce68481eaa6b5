/** What is said of a running training: not more often than people look, and the mean loss of each epoch. */
import type { TrainerEvent } from '../core/messages.ts'

export interface Step {
  epoch: number
  epochs: number
  /** Counted over all epochs, from 1. */
  step: number
  steps: number
  loss: number
  /** Without waiting for pauses. */
  ms: number
}

export interface Progress {
  step(step: Step): void
  /** Mean loss of each epoch. */
  readonly losses: number[]
}

/** `intervalMs`: least time between two reports; the last step is always reported. */
export function createProgress(
  say: (event: TrainerEvent) => unknown,
  { intervalMs, now }: { intervalMs: number; now: () => number },
): Progress {
  const losses: number[] = []
  let inEpoch: { epoch: number; sum: number; count: number } | undefined
  let unreported = { ms: 0, count: 0 }
  let reportedAt = Number.NEGATIVE_INFINITY
  return {
    losses,
    step({ epoch, epochs, step, steps, loss, ms }) {
      if (inEpoch?.epoch !== epoch) inEpoch = { epoch, sum: 0, count: 0 }
      inEpoch.sum += loss
      inEpoch.count += 1
      losses[epoch - 1] = inEpoch.sum / inEpoch.count
      unreported = { ms: unreported.ms + ms, count: unreported.count + 1 }
      const last = step === steps
      if (!last && now() - reportedAt < intervalMs) return
      reportedAt = now()
      const stepMs = unreported.ms / unreported.count
      unreported = { ms: 0, count: 0 }
      void say({ type: 'progress', epoch, epochs, step, steps, loss: inEpoch.sum / inEpoch.count, stepMs })
    },
  }
}
