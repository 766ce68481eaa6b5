/** From the profile in force to what the scheduler asks of the box: which operating point holds when, and its bound. */
import type { OperatingPoint, Provider } from '../core/config.ts'
import { cores } from '../device/cores.ts'
import { takesOneThread, threadsFor } from '../device/session.ts'
import type { OperatingState } from '../dispatch/scheduler.ts'
import type { SlotLimits } from '../dispatch/slot-queue.ts'
import { latencyLimitMs } from '../profiling/bounds.ts'
import type { ProfileInForce } from '../profiling/store.ts'

const slotLimits = ({ threads, batch = 1 }: OperatingPoint): SlotLimits => ({ slots: threads, batch })

/** What both operating points need: threads of the pool, and the batches that its models are checked for. */
export function poolLimits({ points }: ProfileInForce, provider: Provider): SlotLimits {
  const [alone, beside] = [slotLimits(points.alone), slotLimits(points.besideTraining)]
  return {
    slots: threadsFor(provider, Math.max(alone.slots, beside.slots)),
    batch: Math.max(alone.batch, beside.batch),
  }
}

/**
 * Beside the one thread that some providers allow: as many threads and slots as cores, for functions that use no model.
 * Undefined where all threads are alike.
 */
export const hostSlots = (provider: Provider): number | undefined =>
  takesOneThread(provider) ? cores() : undefined

/** Sizes of batches at either operating point, which models are warmed with. */
export const warmBatches = ({ points }: ProfileInForce): number[] => [
  ...new Set([points.alone, points.besideTraining].map(point => slotLimits(point).batch)),
]

export function operatingState({ points, profile }: ProfileInForce, training: boolean): OperatingState {
  return {
    point: slotLimits(training ? points.besideTraining : points.alone),
    boundMs: profile && latencyLimitMs(profile.points, profile.bounds),
    profiledAt: profile?.createdAt,
  }
}
