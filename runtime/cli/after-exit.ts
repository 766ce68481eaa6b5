/** What a supervisor does when the serving process has ended: pure. */

export interface ServingExit {
  code: number | null
  signal: string | null
  /** Somebody asked for the end. */
  stopping: boolean
  /** A serving process has been ready since the supervisor started. */
  wasReady: boolean
  /** How long this one lived. */
  upMs: number
  /** Restarts in a row before this end, each soon after the one before. */
  restarts: number
}

/** `exit`: with this code. `restart`: after this time; `restarts` in a row there were then. */
export type AfterExit = { do: 'exit'; code: number } | { do: 'restart'; delayMs: number; restarts: number }

/** A process that lived this long was well: the next crash is the first again. */
export const stableMs = 60_000
const firstDelayMs = 100
const longestDelayMs = 30_000

export function afterExit({ code, signal, stopping, wasReady, upMs, restarts }: ServingExit): AfterExit {
  // A process that ends without being asked and without an error was told by somebody else.
  if (stopping || code === 0) return { do: 'exit', code: code ?? 1 }
  // An error that is told before anything served is one of the configuration: it is there the next time, too.
  if (!wasReady && signal === null) return { do: 'exit', code: code === 2 ? 2 : 1 }
  const inARow = upMs >= stableMs ? 0 : restarts
  const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** inARow)
  return { do: 'restart', delayMs, restarts: inARow + 1 }
}
