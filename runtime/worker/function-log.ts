/** The log as a function's author sees it: a message, and fields that are theirs. */
import type { FunctionLog } from '../core/definition.ts'
import type { Logger } from '../observe/log.ts'

export function functionLog(log: Logger): FunctionLog {
  return {
    debug: (message, fields) => log.debug(fields ?? {}, message),
    info: (message, fields) => log.info(fields ?? {}, message),
    warn: (message, fields) => log.warn(fields ?? {}, message),
    error: (message, fields) => log.error(fields ?? {}, message),
  }
}
