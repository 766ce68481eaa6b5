/** One trainer process from launch to outcome: reports its events, passes commands on, and says how it ended. */
import { CorunError, deserializeError } from '../core/errors.ts'
import type { TrainerEvent } from '../core/messages.ts'
import type { LaunchTrainer, TrainerExit } from '../training/launch.ts'

export type TrainingDone = Extract<TrainerEvent, { type: 'done' }>
export type TrainingOutcome =
  | { type: 'done'; done: TrainingDone }
  | { type: 'stopped' }
  | { type: 'failed'; error: CorunError }

export interface TrainingProcess {
  pause(): void
  resume(): void
  /** Asks for a stop between steps; kills when that takes longer than `graceMs`. */
  stop(graceMs: number): void
  /** Never rejects. */
  readonly outcome: Promise<TrainingOutcome>
}

export function startTraining(
  launch: LaunchTrainer,
  jobFile: string,
  onEvent: (event: TrainerEvent) => void,
): TrainingProcess {
  let last: TrainerEvent | undefined
  let stopping = false
  let killTimer: NodeJS.Timeout | undefined
  const trainer = launch(jobFile, event => {
    last = event
    onEvent(event)
  })
  return {
    pause: () => trainer.send({ type: 'pause' }),
    resume: () => trainer.send({ type: 'resume' }),
    stop(graceMs) {
      stopping = true
      trainer.send({ type: 'stop' })
      killTimer ??= setTimeout(() => trainer.kill(), graceMs)
    },
    outcome: trainer.ended.then(exit => {
      clearTimeout(killTimer)
      if (last?.type === 'done') return { type: 'done', done: last }
      if (last?.type === 'failed') return { type: 'failed', error: deserializeError(last.error) }
      if (last?.type === 'stopped' || stopping) return { type: 'stopped' }
      return { type: 'failed', error: exitError(exit) }
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
