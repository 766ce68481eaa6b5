/** An age as people write it: `30d`, `12h`, `45m`. */
import { CorunError } from '../core/errors.ts'

const units = { d: 86_400_000, h: 3_600_000, m: 60_000 }

/** In milliseconds. Throws `invalid-config`. */
export function parseAge(text: string): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)([dhm])$/.exec(text) ?? []
  if (count === undefined || unit === undefined) {
    throw new CorunError('invalid-config', `age "${text}"; expected a number and d, h or m, such as 30d`)
  }
  return Number(count) * units[unit as keyof typeof units]
}
