/**
 * How a trainer yields to requests while it runs, and what it gets all the same: the world around grant-step.ts and
 * pace-training.ts. Asks how long its threads ran, moves them between scheduling classes, answers its questions.
 */
import type { Clock } from '../core/clock.ts'
import type { TrainerCommand, TrainerEvent } from '../core/trainer-messages.ts'
import { cores } from '../device/cores.ts'
import type { TrainerPriority } from '../device/priority.ts'
import { type ClassSwitch, openClassSwitch } from '../device/scheduling-class.ts'
import { type ThreadTimes, threadTimes } from '../device/thread-times.ts'
import type { Logger } from '../observe/log.ts'
import type { TrainerProcess } from '../training/launch.ts'
import { type Crowd, createCrowd } from './crowd.ts'
import { grantStep } from './grant-step.ts'
import { createHold, type Hold } from './hold-trainer.ts'
import { isOverBound, type Latency } from './near-bound.ts'
import { type PaceState, paceBegin, paceTraining } from './pace-training.ts'
import type { YieldReport } from './report.ts'

export interface YieldingOptions {
  /** The floor, of what training would get alone, from 0 to 1; 0: none. */
  share: number
  /** Threads that the trainer computes with. */
  threads: number
  priority: TrainerPriority
  /** The trainer asks before each step: where the system cannot preempt one. */
  asks: boolean
  /** Requests that want every core when they run at once: a trainer that may be held waits meanwhile. Default: no number. */
  crowdedFrom?: number
  /** How serving is doing. */
  pressure(): Latency & { queued: number }
  clock: Clock
  log: Logger
  /** Between two looks at a trainer. Default 250 ms. */
  paceMs?: number
  /** Between two looks at a question that waits. Default 20 ms. */
  askMs?: number
}

/** Requests that want every core of this box when they run at once, in sessions of that many threads. */
export const wantEveryCore = (intraOpThreads: number): number => Math.ceil(cores() / intraOpThreads)

export interface Yielding {
  readonly asks: boolean
  /** That many requests run at once now. */
  running(requests: number): void
  /** Follows a run, whose trainer may be started more than once. */
  follow(run: { paused(): boolean }): FollowedRun
  totals(): YieldTotals
}

/** What a trainer is told by those who look after its run. */
export type ToldCommand = Exclude<TrainerCommand['type'], 'go'>

export interface FollowedRun {
  /** A trainer was started. `heard`: it has sent its first event already. */
  attach(trainer: Pick<TrainerProcess, 'pid' | 'send'>, heard?: boolean): void
  event(event: TrainerEvent): void
  /** It was sent a command, which it shall hear. */
  told(command: ToldCommand): void
  /** It has ended. */
  detach(): void
  /** Kept up to date. */
  readonly report: YieldReport
}

/** Over all runs since the start. */
export interface YieldTotals {
  waitedMs: number
  bursts: number
}

export function createYielding(options: YieldingOptions): Yielding {
  const { asks, crowdedFrom } = options
  const crowd = createCrowd(crowdedFrom)
  const totals: YieldTotals = { waitedMs: 0, bursts: 0 }
  return {
    asks,
    running: running => crowd.now({ running }),
    totals: () => ({ ...totals }),
    follow({ paused }) {
      const report: YieldReport = {
        how: howOf(options),
        waitedMs: 0,
        share: 0,
        bursts: 0,
        note: noteOf(options),
      }
      let activeMs = 0
      let lostMs = 0
      const tell: Tell = ({ elapsedMs = 0, waitedMs = 0, bursts = 0 }) => {
        activeMs += elapsedMs
        lostMs += waitedMs
        report.waitedMs = Math.round(lostMs)
        report.share = activeMs > 0 ? lostMs / activeMs : 0
        report.bursts += bursts
        totals.waitedMs += waitedMs
        totals.bursts += bursts
      }
      let watch: Watch | undefined
      return {
        attach(trainer, heard = false) {
          watch = asks
            ? answerQuestions(trainer, options, paused, tell)
            : keepPace(trainer, options, { paused, crowd, tell, heard })
        },
        event: event => watch?.event(event),
        told: command => watch?.told(command),
        detach() {
          watch?.end()
          watch = undefined
        },
        report,
      }
    },
  }
}

type Tell = (more: { elapsedMs?: number; waitedMs?: number; bursts?: number }) => void

interface Watch {
  event(event: TrainerEvent): void
  told(command: ToldCommand): void
  end(): void
}

function howOf({ asks, priority }: YieldingOptions): YieldReport['how'] {
  if (asks) return 'asks'
  return priority.how === 'idle-class'
    ? priority.switches
      ? 'idle-class-with-bursts'
      : 'idle-class'
    : priority.how
}

/** What an operator should know of it. */
function noteOf({ asks, share, priority }: YieldingOptions): string | null {
  if (asks || share <= 0 || priority.switches) return null
  if (priority.how === 'nice')
    return `a trainer of the idle class cannot be raised here (Linux: RLIMIT_NICE of ${20 - priority.niceness} or CAP_SYS_NICE allows it): it runs at nice ${priority.niceness} instead, whose weight gives it its share`
  return 'this system offers no priority that gives training a share: under saturation it may starve'
}

/** On a device that cannot preempt: each step waits until requests leave it room, or its floor is due. */
function answerQuestions(
  trainer: Pick<TrainerProcess, 'send'>,
  { share, pressure, clock, askMs = 20 }: YieldingOptions,
  paused: () => boolean,
  tell: Tell,
): Watch {
  let timer: NodeJS.Timeout | undefined
  let sentAt: number | undefined
  let stepMs: number | undefined
  let lookedAt = 0
  let waitedMs = 0

  const look = () => {
    const now = clock.monotonic()
    const elapsedMs = paused() ? 0 : now - lookedAt
    lookedAt = now
    waitedMs += elapsedMs
    tell({ elapsedMs, waitedMs: elapsedMs })
    if (paused()) return
    const grant = grantStep({ ...pressure(), waitedMs, stepMs, share })
    if (grant === 'wait') return
    clearInterval(timer)
    timer = undefined
    if (grant === 'floor') tell({ bursts: 1 })
    sentAt = now
    trainer.send({ type: 'go' })
  }
  return {
    event({ type }) {
      if (type !== 'ask') return
      lookedAt = clock.monotonic()
      if (sentAt !== undefined) {
        stepMs = lookedAt - sentAt
        tell({ elapsedMs: stepMs })
      }
      waitedMs = 0
      clearInterval(timer)
      timer = setInterval(look, askMs)
      look()
    },
    told: () => {},
    end: () => clearInterval(timer),
  }
}

/**
 * On a CPU: the idle class yields by itself, and a trainer is held while requests want every core, or while any runs when
 * p95 is over its bound; looks whether it gets its floor, and lets and raises it when not.
 */
function keepPace(
  { pid }: Pick<TrainerProcess, 'pid'>,
  { share, threads, priority, pressure, clock, log, paceMs = 250 }: YieldingOptions,
  { paused, crowd, tell, heard }: { paused(): boolean; crowd: Crowd; tell: Tell; heard: boolean },
): Watch {
  let hold: Hold | undefined
  const classes: ClassSwitch | undefined = priority.switches ? openClassSwitch() : undefined
  let pace: PaceState = paceBegin
  let before: ThreadTimes | undefined
  let lookedAt = clock.monotonic()
  let refused = false
  /** It has a command to hear, and to act on. */
  let commanded = false

  /** Whether requests are no reason to wait: what cannot be raised any more would get nothing. */
  const excuse = () => hold?.excused(pace.level === 'burst' || refused || commanded)
  const look = () => {
    if (pid === undefined) return
    const latency = pressure()
    crowd.now({ overBound: isOverBound(latency) })
    const now = clock.monotonic()
    const times = threadTimes(pid)
    if (times === undefined) return
    const [elapsedMs, last] = [now - lookedAt, before]
    lookedAt = now
    before = times
    if (paused() || last === undefined) return
    // Threads that have ended take their times with them.
    const ranMs = Math.max(0, times.ranMs - last.ranMs)
    const delayMs = Math.max(0, times.waitedMs - last.waitedMs)
    const heldMs = Math.min(elapsedMs, hold?.heldMs() ?? 0)
    const queuedMs = delayMs > 0 ? ((elapsedMs - heldMs) * delayMs) / (delayMs + ranMs) : 0
    tell({ elapsedMs, waitedMs: heldMs + queuedMs })
    if (classes === undefined || refused) return
    const next = paceTraining(pace, { ...latency, elapsedMs, ranMs, threads, share })
    const moves = next.level !== pace.level
    pace = next
    if (moves) void move(classes, pid, next.level)
  }
  const move = async (to: ClassSwitch, pid: number, level: PaceState['level']) => {
    if (level === 'burst') tell({ bursts: 1 })
    excuse()
    const moved = await to.set(pid, level === 'burst' ? 'other' : 'idle')
    // A trainer that has ended cannot be moved either.
    if (moved || threadTimes(pid) === undefined) return
    refused = true
    excuse()
    log.warn({ pid, level }, 'the scheduling class of the trainer cannot be changed: it gets no more bursts')
  }
  /** From its first word on: before, it is not yet the process that goes on when this one ends. */
  const mayHold = () => {
    if (!priority.holds || pid === undefined || hold !== undefined) return
    hold = createHold({ pid })
    crowd.listeners.add(hold.crowded)
    excuse()
    hold.crowded(crowd.is())
  }
  const timer = setInterval(look, paceMs)
  look()
  if (heard) {
    mayHold()
    // Who let it yield before may have left it in a burst.
    if (classes !== undefined && pid !== undefined) void move(classes, pid, 'idle')
  }
  return {
    event: mayHold,
    told(command) {
      commanded = command !== 'resume'
      excuse()
    },
    end() {
      clearInterval(timer)
      if (hold) crowd.listeners.delete(hold.crowded)
      hold?.end()
      classes?.close()
    },
  }
}
