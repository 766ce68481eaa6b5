/** A line of the log as people read it. Pure. */
import { z } from 'zod'

const logLineSchema = z.looseObject({
  level: z.number(),
  time: z.string(),
  msg: z.string().optional(),
  function: z.string().optional(),
  requestId: z.string().optional(),
})
export type LogLine = z.output<typeof logLineSchema>

/** Undefined for what is no line of the log. */
export function parseLine(text: string): LogLine | undefined {
  try {
    return logLineSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

const levels: Record<number, string> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
}

/** Time, level, message, and the other fields as `name=value`; a stack comes in lines of its own. */
export function formatLine({ level, time, msg = '', function: _, err, ...fields }: LogLine): string {
  const error = z.looseObject({ stack: z.string() }).safeParse(err)
  const stack = error.success ? `\n    ${error.data.stack.replaceAll('\n', '\n    ')}` : ''
  const rest = Object.entries(fields).map(([name, value]) => {
    return `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`
  })
  return `${time} ${(levels[level] ?? String(level)).padEnd(5)} ${[msg, ...rest].join(' ')}${stack}`
}
