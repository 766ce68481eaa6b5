/** The log: one JSON line an event, on standard error, so that standard output stays free for reports. */
import pino from 'pino'

export type Logger = pino.Logger
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Writes at once: a line that was logged before a native crash is not lost. */
export function createLogger(level: LogLevel = 'info'): Logger {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  )
}

/** A logger that says nothing, for tests. */
export const silentLogger: Logger = pino({ level: 'silent' })
