/** One trainer process from launch to outcome: reports its events, passes commands on, and says how it ended. */
import { CorunError, deserializeError } from '../core/errors.ts'
import { isOutOfMemory } from '../core/out-of-memory.ts'
import type { TrainerEvent } from '../core/trainer-messages.ts'
import type { LaunchTrainer, TrainerExit } from '../training/launch.ts'
import type { FollowedRun, ToldCommand } from '../yielding/yielding.ts'

export type TrainingDone = Extract<TrainerEvent, { type: 'done' }>
export type TrainingOutcome =
  | { type: 'done'; done: TrainingDone }
  | { type: 'stopped' }
  /** `outOfMemory`: it might live with fewer pictures at once. `killed`: it ended without a word. */
  | { type: 'failed'; error: CorunError; outOfMemory: boolean; killed: boolean }

export interface TrainingProcess {
  pause(): void
  resume(): void
  /** Asks for a stop between steps; kills when that takes longer than `graceMs`. */
  stop(graceMs: number): void
  /** Never rejects. */
  readonly outcome: Promise<TrainingOutcome>
}

export interface TrainingOptions {
  /** Told of the trainer and of what it says. */
  followed?: FollowedRun
  /** See device/oom-kills.ts. */
  oomKills?: () => number | undefined
}

export function startTraining(
  launch: LaunchTrainer,
  jobFile: string,
  onEvent: (event: TrainerEvent) => void,
  { followed, oomKills = () => undefined }: TrainingOptions = {},
): TrainingProcess {
  const killsBefore = oomKills()
  let last: TrainerEvent | undefined
  let stopping = false
  let killTimer: NodeJS.Timeout | undefined
  const trainer = launch(jobFile, event => {
    last = event
    followed?.event(event)
    onEvent(event)
  })
  followed?.attach(trainer)
  const tell = (type: ToldCommand) => {
    trainer.send({ type })
    followed?.told(type)
  }
  return {
    pause: () => tell('pause'),
    resume: () => tell('resume'),
    stop(graceMs) {
      stopping = true
      tell('stop')
      killTimer ??= setTimeout(() => trainer.kill(), graceMs)
    },
    outcome: trainer.ended.then(exit => {
      clearTimeout(killTimer)
      followed?.detach()
      if (last?.type === 'done') return { type: 'done', done: last }
      if (last?.type === 'failed') {
        const error = deserializeError(last.error)
        return { type: 'failed', error, outOfMemory: isOutOfMemory(error), killed: false }
      }
      if (last?.type === 'stopped' || stopping) return { type: 'stopped' }
      const kills = oomKills()
      const killed = exit.signal === 'SIGKILL' && (kills === undefined || kills !== killsBefore)
      const outOfMemory = killed || isOutOfMemory(exit.stderrTail)
      return { type: 'failed', error: exitError(exit), outOfMemory, killed: exit.signal !== null }
    }),
  }
}

/** The error of a trainer that ended without a word. */
function exitError({ code, signal, stderrTail }: TrainerExit): CorunError {
  const how =
    signal === null ? `ended with exit code ${code}` : `was killed by ${signal}${signalNote(signal)}`
  return new CorunError(
    'trainer-failed',
    `the trainer ${how}${stderrTail ? `; its last lines: ${stderrTail}` : ''}`,
  )
}

function signalNote(signal: NodeJS.Signals): string {
  if (signal === 'SIGKILL') return ' (out of memory, or by hand)'
  return signal === 'SIGABRT' || signal === 'SIGSEGV' ? ' (a native failure of the engine)' : ''
}
