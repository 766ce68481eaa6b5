/** How trainers run on this box beside serving: their priority, threads and memory. */
import type { Config, OperatingPoints, Provider } from '../core/config.ts'
import { cores } from '../device/cores.ts'
import { memoryBudgetBytes, residentBytes } from '../device/memory.ts'
import { findPriority, type TrainerPriority, withPriority } from '../device/priority.ts'
import { createTrainerLauncher, type LaunchTrainer } from '../training/launch.ts'

/** The priority of a trainer beside that many slots. */
export function trainerPriority({ trainingShare }: Config, slots: number): TrainerPriority {
  return findPriority({ share: trainingShare, contenders: Math.max(1, slots / cores()) })
}

/** Whether a trainer asks before each step: the CPU's scheduler preempts by itself, where there is a low priority; a GPU's does not. */
export const mustAsk = (provider: Provider, { how }: TrainerPriority): boolean =>
  provider !== 'cpu' || how === 'none'

/** Starts trainers so that they yield. */
export function lowPriorityLauncher(priority: TrainerPriority): LaunchTrainer {
  return createTrainerLauncher((command, args) => withPriority({ command, args }, priority))
}

/** As profiled; else on few cores all of them: at its priority the trainer cannot take them from requests. */
export function trainerThreads(points: OperatingPoints): number {
  const profiled = points.besideTraining.trainer?.threads
  if (profiled !== undefined) return profiled
  return Math.max(1, Math.min(4, cores(), points.alone.threads))
}

/** What the budget leaves beside the server as it is now. */
export function trainerMemoryBytes({ memoryBudget }: Config): number {
  return Math.max(1, (memoryBudget ?? memoryBudgetBytes()) - residentBytes(process.pid))
}
