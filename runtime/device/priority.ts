/** Background work at the lowest priority that the system offers, so that inference preempts it at once. */
import { spawnSync } from 'node:child_process'

export type LowPriority = 'idle-class' | 'nice' | 'none'

export interface Command {
  command: string
  args: string[]
}

/**
 * `idle-class`: SCHED_IDLE, which any normal thread preempts within microseconds. A command in front reaches every
 * thread of the process; a priority that the process set for itself would miss those that exist already.
 */
export function withLowPriority({ command, args }: Command, how: LowPriority): Command {
  if (how === 'idle-class') return { command: 'chrt', args: ['--idle', '0', command, ...args] }
  if (how === 'nice') return { command: 'nice', args: ['-n', '19', command, ...args] }
  return { command, args }
}

/** The best way that works here, by trying: a few milliseconds. */
export function findLowPriority(): LowPriority {
  const works = (how: LowPriority) => {
    const { command, args } = withLowPriority({ command: 'true', args: [] }, how)
    return spawnSync(command, args, { stdio: 'ignore' }).status === 0
  }
  return (['idle-class', 'nice'] as const).find(works) ?? 'none'
}
