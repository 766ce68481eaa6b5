/** The log: one JSON line an event, on standard error, so that standard output stays free for reports. */
import { join } from 'node:path'
import pino from 'pino'

export type Logger = pino.Logger
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Where a server keeps its lines, beside standard error: see rotating-file.ts. */
export const logFile = (dataDir: string): string => join(dataDir, 'logs', 'corun.log')

/** Takes whole lines. */
export interface LineSink {
  write(line: string): void
}

/** Writes at once: a line that was logged before a native crash is not lost. `also` takes the same lines. */
export function createLogger(level: LogLevel = 'info', also?: LineSink): Logger {
  const standardError = pino.destination({ fd: 2, sync: true })
  const sink =
    also === undefined
      ? standardError
      : pino.multistream([
          { level: 'trace', stream: standardError },
          { level: 'trace', stream: also },
        ])
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, sink)
}

/** A logger that says nothing, for tests. */
export const silentLogger: Logger = pino({ level: 'silent' })
