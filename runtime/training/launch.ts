/** Starts the trainer process and listens to it. What its events mean for a run is the caller's. */
import { type ChildProcess, spawn } from 'node:child_process'
import { builtEntry } from '../core/package-root.ts'
import { type TrainerCommand, type TrainerEvent, trainerEventSchema } from '../core/trainer-messages.ts'

export interface TrainerExit {
  code: number | null
  signal: NodeJS.Signals | null
  /** The last lines of its standard error. */
  stderrTail: string
}

export interface TrainerProcess {
  readonly pid: number | undefined
  send(command: TrainerCommand): void
  /** SIGCONT, for a trainer that someone may have held. */
  goOn(): void
  /** SIGKILL, for a trainer that does not stop when asked. */
  kill(): void
  /** Resolves once, when the process has ended and all its events have been delivered. */
  readonly ended: Promise<TrainerExit>
}

export type LaunchTrainer = (jobFile: string, onEvent: (event: TrainerEvent) => void) => TrainerProcess

/**
 * glibc gives freed memory back at once and keeps one arena: a trainer's peak does not become its plateau. But what a
 * step takes and frees comes from its heap, up to the most that glibc allows: each array by a system call of its own,
 * and its pages anew, would cost a fifth of the step.
 */
const trainerEnvironment = {
  MALLOC_TRIM_THRESHOLD_: '0',
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: String(32 * 2 ** 20),
}
const tailLength = 4000

/** `lowPriority` turns a command into one that yields to all others. */
export function createTrainerLauncher(
  lowPriority: (command: string, args: string[]) => { command: string; args: string[] },
): LaunchTrainer {
  return (jobFile, onEvent) => {
    const { command, args } = lowPriority(process.execPath, [
      '--enable-source-maps',
      builtEntry('trainer'),
      jobFile,
    ])
    const child = spawn(command, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, ...trainerEnvironment },
    })
    let stderrTail = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderrTail = (stderrTail + text).slice(-tailLength)
    })
    child.on('message', message => {
      const event = trainerEventSchema.safeParse(message)
      if (event.success) onEvent(event.data)
    })
    return {
      pid: child.pid,
      send: command => {
        if (child.connected) child.send(command, () => {})
      },
      goOn: () => child.kill('SIGCONT'),
      kill: () => child.kill('SIGKILL'),
      ended: exitOf(child).then(({ code, signal, error }) => ({
        code,
        signal,
        stderrTail: error?.message ?? stderrTail.trim(),
      })),
    }
  }
}

/** `close` comes after the last event and the last byte of output; `error` when the process could not start. */
function exitOf(child: ChildProcess): Promise<Omit<TrainerExit, 'stderrTail'> & { error?: Error }> {
  return new Promise(resolve => {
    child.once('error', error => resolve({ code: null, signal: null, error }))
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
}
