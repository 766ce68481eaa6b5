/** Background work at a priority that inference preempts at once, and how much it gets all the same. */
import { spawnSync } from 'node:child_process'
import { z } from 'zod'

const lowPrioritySchema = z.enum(['idle-class', 'nice', 'none'])
export type LowPriority = z.output<typeof lowPrioritySchema>

export interface Command {
  command: string
  args: string[]
}

export const trainerPrioritySchema = z.object({
  how: lowPrioritySchema,
  /** 0 to 19. Of `nice`; and of `idle-class` while the process is raised to the normal class. */
  niceness: z.int(),
  /** Whether this process may raise the other to the normal class and put it back, see scheduling-class.ts. */
  switches: z.boolean(),
  /** It may be stopped by a signal for a while: it is killed when this process ends meanwhile. */
  holds: z.boolean(),
})
export type TrainerPriority = z.output<typeof trainerPrioritySchema>

/**
 * `idle-class`: SCHED_IDLE, which any normal thread preempts within microseconds. A command in front reaches every
 * thread of the process; a priority that the process set for itself would miss those that exist already.
 */
export function withPriority(
  { command, args }: Command,
  { how, niceness, holds = false }: Pick<TrainerPriority, 'how' | 'niceness'> & Partial<TrainerPriority>,
): Command {
  const idle = how === 'idle-class' ? { command: 'chrt', args: ['--idle', '0', command, ...args] } : undefined
  const ranked = idle ?? { command, args }
  // It may be stopped, or in the middle of a long step, when its parent dies: the next one's must not meet it at its work.
  const inner = holds
    ? { command: 'setpriv', args: ['--pdeathsig', 'KILL', ranked.command, ...ranked.args] }
    : ranked
  if (how === 'none' || niceness === 0) return inner
  return { command: 'nice', args: ['-n', String(niceness), inner.command, ...inner.args] }
}

/**
 * The niceness at which a thread gets `share` of a core that `contenders` threads of normal priority want all the time.
 * Linux halves a weight about every three levels: each is 1.25 times the next (sched_prio_to_weight in the kernel).
 */
export function nicenessForShare(share: number, contenders: number): number {
  const weight = (Math.min(share, 0.99) * contenders) / (1 - Math.min(share, 0.99))
  return Math.min(19, Math.max(0, Math.floor(-Math.log(weight) / Math.log(1.25))))
}

export interface PriorityFacts {
  /** What the work shall get of its cores at the least, from 0 to 1. */
  share: number
  /** Threads a core that compete with it when the box is saturated. */
  contenders: number
  /** What this system offers. */
  idleClass: boolean
  nice: boolean
  /** See {@link TrainerPriority}. */
  holds: boolean
  /** Asked only where it matters: whether a process of the idle class can be raised and put back. */
  switches(niceness: number): boolean
}

/** Twice the share: raised half of the time it then gets it, and can catch up. */
const raisedFor = 2
/** Nothing corrects a fixed niceness: a little more than the share. */
const fixedFor = 1.3

/**
 * The idle class, raised at times where work shall get a share; where that is refused, which is so for users without
 * RLIMIT_NICE, a niceness whose weight gives the share.
 */
export function choosePriority(facts: PriorityFacts): TrainerPriority {
  const { share, contenders, idleClass, nice, holds, switches } = facts
  if (share <= 0) {
    if (idleClass) return { how: 'idle-class', niceness: 0, switches: false, holds }
    return nice ? fixed(19, holds) : { how: 'none', niceness: 0, switches: false, holds: false }
  }
  const raised = nicenessForShare(share * raisedFor, contenders)
  if (idleClass && switches(raised)) return { how: 'idle-class', niceness: raised, switches: true, holds }
  // What cannot be raised gets its share by its weight alone, and must not be held.
  if (nice) return fixed(nicenessForShare(share * fixedFor, contenders), false)
  return { how: idleClass ? 'idle-class' : 'none', niceness: 0, switches: false, holds: false }
}

const fixed = (niceness: number, holds: boolean): TrainerPriority => ({
  how: 'nice',
  niceness,
  switches: false,
  holds,
})

const works = ({ command, args }: Command) => spawnSync(command, args, { stdio: 'ignore' }).status === 0

/** What works here, by trying: a few milliseconds. */
export function findPriority(wanted: Pick<PriorityFacts, 'share' | 'contenders'>): TrainerPriority {
  const offered = (how: LowPriority, holds = false) =>
    works(withPriority({ command: 'true', args: [] }, { how, niceness: 19, holds }))
  // Each try is a process: what works together need not be tried alone.
  const all = offered('idle-class', true)
  return choosePriority({
    ...wanted,
    idleClass: all || offered('idle-class'),
    nice: all || offered('nice'),
    holds: all || offered('nice', true),
    switches: niceness =>
      works(
        withPriority(
          {
            command: 'sh',
            args: ['-c', 'chrt --all-tasks --other -p 0 $$ && chrt --all-tasks --idle -p 0 $$'],
          },
          { how: 'idle-class', niceness },
        ),
      ),
  })
}
