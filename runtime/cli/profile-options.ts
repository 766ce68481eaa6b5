/** What `corun profile` was asked for: from texts to values, with an error that names the text. Pure. */
import { CorunError } from '../core/errors.ts'
import {
  type LatencyBound,
  type Objective,
  objectives,
  type PercentileName,
  percentileNames,
} from '../profiling/profile.ts'

type Text = string | boolean | string[] | number | undefined

const isMissing = (value: Text): boolean => value === undefined || value === ''

const refuse = (name: string, value: Text, expected: string): CorunError =>
  new CorunError('invalid-config', `--${name} is "${value}"; expected ${expected}`)

export function positive(name: string, value: Text, fallback: number): number {
  if (isMissing(value)) return fallback
  const number = Number(value)
  if (Number.isFinite(number) && number > 0) return number
  throw refuse(name, value, 'a number above 0')
}

export function wholeNumber(name: string, value: Text, fallback: number): number {
  const number = positive(name, value, fallback)
  if (Number.isInteger(number)) return number
  throw refuse(name, value, 'a whole number above 0')
}

/** `1.5x` of one inference alone, or `50ms`. */
export function latencyBound(value: Text): LatencyBound {
  if (isMissing(value)) return { ratio: 1.5 }
  const [, number, unit] = /^(\d+(?:\.\d+)?)(x|ms)$/.exec(String(value)) ?? []
  if (Number(number) > 0) return unit === 'x' ? { ratio: Number(number) } : { ms: Number(number) }
  throw refuse('latency-bound', value, 'a multiple such as 1.5x, or milliseconds such as 50ms')
}

/** `50`, `95` or `99`. */
export function percentileOf(value: Text): PercentileName {
  if (isMissing(value)) return 'p95'
  const found = percentileNames.find(name => name === `p${value}`)
  if (found) return found
  throw refuse('percentile', value, '50, 95 or 99')
}

export function objectiveOf(value: Text): Objective {
  if (isMissing(value)) return 'throughput'
  const found = objectives.find(objective => objective === value)
  if (found) return found
  throw refuse('objective', value, objectives.join(', '))
}

const unitMs = { s: 1000, m: 60_000, h: 3_600_000 } as const

/** `90s`, `3m` or `1h`, in ms; undefined when it was not given. */
export function timeBudget(value: Text): number | undefined {
  if (isMissing(value)) return undefined
  const [, number, unit] = /^(\d+(?:\.\d+)?)([smh])$/.exec(String(value)) ?? []
  if (Number(number) > 0) return Number(number) * unitMs[unit as keyof typeof unitMs] // as the pattern has it
  throw refuse('budget', value, 'a time such as 90s, 3m or 1h')
}

/** `scene=3,ocr=1`: shares of functions, of any sum. Undefined when it was not given. */
export function mixOf(value: Text): Map<string, number> | undefined {
  if (isMissing(value)) return undefined
  const entries = String(value)
    .split(',')
    .map(part => /^\s*([a-z][a-z0-9-]*)\s*=\s*(\d+(?:\.\d+)?)\s*$/.exec(part))
  const mix = new Map(entries.flatMap(entry => (entry ? [[entry[1] ?? '', Number(entry[2])] as const] : [])))
  const valid = mix.size === entries.length && [...mix.values()].every(share => share > 0)
  if (valid) return mix
  throw refuse('mix', value, 'functions with shares above 0, each once, such as scene=3,ocr=1')
}
