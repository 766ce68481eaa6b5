/** Brings answers that begin before they end from the threads to those who wait for them. */
import type { StreamStart } from '../core/messages.ts'

export interface StreamDesk {
  /** `onStart` is told, at most once, when the call with this key has begun to stream. Call the result when it has ended. */
  expectStream(key: number, onStart: (start: StreamStart) => void): () => void
  receive(start: StreamStart): void
}

export function createStreamDesk(): StreamDesk {
  const expected = new Map<number, (start: StreamStart) => void>()
  return {
    expectStream(key, onStart) {
      expected.set(key, onStart)
      return () => expected.delete(key)
    },
    receive(start) {
      const onStart = expected.get(start.key)
      expected.delete(start.key)
      // Its call has ended already, badly: closed, the port tells the thread to stop.
      if (onStart === undefined) start.port.close()
      else onStart(start)
    },
  }
}
