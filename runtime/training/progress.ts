/** What is said of a running training: not more often than people look, and the mean loss of each epoch. */
import { z } from 'zod'
import type { TrainerEvent } from '../core/trainer-messages.ts'

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

export const progressStateSchema = z.object({
  /** Steps and their sums of each epoch that has begun. */
  epochs: z.array(z.object({ steps: z.int(), loss: z.number(), ms: z.number() })),
})
export type ProgressState = z.output<typeof progressStateSchema>

export interface Progress {
  step(step: Step): void
  /** Mean loss of each epoch. */
  readonly losses: number[]
  /** What the steps of each epoch took. */
  readonly epochSeconds: number[]
  /** A copy: what another progress begins with to go on here. */
  state(): ProgressState
}

/** `intervalMs`: least time between two reports; the last step is always reported. */
export function createProgress(
  say: (event: TrainerEvent) => unknown,
  { intervalMs, now, from }: { intervalMs: number; now: () => number; from?: ProgressState | undefined },
): Progress {
  const epochs = structuredClone(from?.epochs ?? [])
  let unreported = { ms: 0, count: 0 }
  let reportedAt = Number.NEGATIVE_INFINITY
  return {
    get losses() {
      return epochs.map(({ loss, steps }) => loss / steps)
    },
    get epochSeconds() {
      return epochs.map(({ ms }) => ms / 1000)
    },
    state: () => ({ epochs: structuredClone(epochs) }),
    step({ epoch, epochs: allEpochs, step, steps, loss, ms }) {
      const sums = epochs[epoch - 1] ?? { steps: 0, loss: 0, ms: 0 }
      epochs[epoch - 1] = { steps: sums.steps + 1, loss: sums.loss + loss, ms: sums.ms + ms }
      unreported = { ms: unreported.ms + ms, count: unreported.count + 1 }
      const last = step === steps
      if (!last && now() - reportedAt < intervalMs) return
      reportedAt = now()
      const stepMs = unreported.ms / unreported.count
      unreported = { ms: 0, count: 0 }
      const mean = (sums.loss + loss) / (sums.steps + 1)
      void say({ type: 'progress', epoch, epochs: allEpochs, step, steps, loss: mean, stepMs })
    },
  }
}
