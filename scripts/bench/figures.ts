// What a benchmark finds: figures with their spread, and whether they hold the bound that was set for them.
import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus } from 'node:os'

export interface Figure {
  name: string
  value: number
  unit: string
  /** The least and the most that one round showed. */
  spread: [number, number]
  /** Text such as `<= 1.15`; null where none is set, or in a quick run. */
  bound: string | null
  holds: boolean | null
  /** Of a shortened run: no bound judges it. */
  quick?: true
}

export interface BenchReport {
  suite: string
  machine: string
  commit: string
  figures: Figure[]
  /** What was not measured, and why. */
  left: string[]
}

export function median(values: readonly number[]): number {
  const ascending = [...values].sort((a, b) => a - b)
  const middle = ascending.length >> 1
  const upper = ascending[middle] ?? Number.NaN
  return ascending.length % 2 === 1 ? upper : ((ascending[middle - 1] ?? Number.NaN) + upper) / 2
}

/** Whether `value` holds a bound such as `<= 1.15` or `>= 0.9`. NaN holds none. */
export function holdsBound(value: number, bound: string): boolean {
  const [, sign, limit] = /^(<=|>=) ([\d.]+)$/.exec(bound) ?? []
  if (limit === undefined) throw new RangeError(`bound "${bound}"; expected "<= number" or ">= number"`)
  return sign === '<=' ? value <= Number(limit) : value >= Number(limit)
}

/** A figure from the values of its rounds: the median counts. */
export function figure(
  name: string,
  unit: string,
  rounds: readonly number[],
  { bound = null, quick = false }: { bound?: string | null; quick?: boolean } = {},
): Figure {
  const value = median(rounds)
  const judged = quick ? null : bound
  return {
    name,
    value,
    unit,
    spread: [Math.min(...rounds), Math.max(...rounds)],
    bound: judged,
    holds: judged === null ? null : holdsBound(value, judged),
    ...(quick ? { quick: true as const } : {}),
  }
}

export function machineName(): string {
  return `${cpus()[0]?.model.trim()} x${availableParallelism()}, Node ${process.version}`
}

/** Short hash of the checked-out commit, with `+` when files differ from it; `unknown` outside a checkout. */
export function commitName(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '+')
  } catch {
    return 'unknown'
  }
}

const shown = (value: number) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3))

export function figuresTable({ suite, machine, commit, figures, left }: BenchReport): string {
  const rows = figures.map(({ name, value, unit, spread, bound, holds, quick }) => [
    name,
    `${shown(value)} ${unit}`.trim(),
    `${shown(spread[0])} .. ${shown(spread[1])}`,
    bound ?? '-',
    holds === null ? (quick ? 'quick' : '') : holds ? 'holds' : 'MISSED',
  ])
  const table = [['figure', 'median', 'spread', 'bound', ''], ...rows]
  const widths = [0, 1, 2, 3, 4].map(column => Math.max(...table.map(row => row[column]?.length ?? 0)))
  const lines = table.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return [
    `${suite} on ${machine}, commit ${commit}`,
    '',
    ...lines,
    ...left.map(text => `not measured: ${text}`),
  ].join('\n')
}
