/**
 * The trainer's line to its parent: events out, commands in, over IPC; JSON lines on standard output when it was
 * started by hand.
 */
import { type TrainerCommand, type TrainerEvent, trainerCommandSchema } from '../core/trainer-messages.ts'

export interface Channel {
  /** Resolves when the parent has it, or is gone. */
  say(event: TrainerEvent): Promise<void>
  /** Lets the process end when its work is done. */
  close(): void
}

/** A parent that is gone asks for a stop: nobody would use the result. */
export function openChannel(onCommand: (command: TrainerCommand) => void): Channel {
  const stop = () => onCommand({ type: 'stop' })
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('disconnect', stop)
  process.on('message', message => {
    const command = trainerCommandSchema.safeParse(message)
    if (command.success) onCommand(command.data)
  })
  return {
    say: event =>
      new Promise<void>(resolve => {
        if (process.send === undefined) process.stdout.write(`${JSON.stringify(event)}\n`, () => resolve())
        else if (process.connected) process.send(event, undefined, {}, () => resolve())
        else resolve()
      }),
    close() {
      process.off('disconnect', stop)
      if (process.connected) process.disconnect()
    },
  }
}
