/** Pause, resume and stop, as the training loop sees them: it asks between steps, never inside one. */
import type { TrainerCommand } from '../core/trainer-messages.ts'

export interface Control {
  command(command: TrainerCommand): void
  /** From now on `ask` is called before each step, which then waits for `go`. */
  askBefore(ask: () => void): void
  /** Lets waiting commands in, waits while paused and for an answer, and tells whether to go on. */
  mayGoOn(): Promise<boolean>
}

export function createControl(): Control {
  let paused = false
  let stopped = false
  let granted = false
  let ask: (() => void) | undefined
  let changed: () => void = () => {}
  return {
    command({ type }) {
      if (type === 'stop') stopped = true
      else if (type === 'go') granted = true
      else paused = type === 'pause'
      changed()
    },
    askBefore(question) {
      ask = question
    },
    async mayGoOn() {
      // A run of the engine settles without a turn of the event loop, where messages arrive.
      await new Promise<void>(resolve => setImmediate(resolve))
      granted = ask === undefined
      if (!stopped) ask?.()
      while ((paused || !granted) && !stopped) {
        await new Promise<void>(resolve => {
          changed = resolve
        })
      }
      return !stopped
    },
  }
}
