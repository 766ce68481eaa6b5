/** Pause, resume and stop, as the training loop sees them: it asks between steps, never inside one. */
import type { TrainerCommand } from '../core/messages.ts'

export interface Control {
  command(command: TrainerCommand): void
  /** Lets waiting commands in, waits while paused, and answers whether to go on. */
  mayGoOn(): Promise<boolean>
}

export function createControl(): Control {
  let paused = false
  let stopped = false
  let changed: () => void = () => {}
  return {
    command({ type }) {
      if (type === 'stop') stopped = true
      else paused = type === 'pause'
      changed()
    },
    async mayGoOn() {
      // A run of the engine settles without a turn of the event loop, where messages arrive.
      await new Promise<void>(resolve => setImmediate(resolve))
      while (paused && !stopped) {
        await new Promise<void>(resolve => {
          changed = resolve
        })
      }
      return !stopped
    },
  }
}
