/** When what did not work is tried again: pure decisions of asynchronous invocations and of their callbacks. */
import type { ErrorCode } from '../core/errors.ts'

/** The box could not take it then: these are no results, and it is tried again while its time lasts. */
const refusals: ReadonlySet<string> = new Set<ErrorCode>([
  'function-busy',
  'saturated',
  'out-of-memory',
  'function-unavailable',
  'shutting-down',
])

export const isRefusal = (code: string): boolean => refusals.has(code)

/** What memory did not hold has begun: it may be what takes it all, and costs the others a slot each time. */
export const hasBegun = (code: string): boolean => code === 'out-of-memory'

/** From 0.1 s doubling to 10 s. Unit: ms. `attempt` counts from 1. */
export const refusedDelayMs = (attempt: number): number =>
  Math.min(10_000, 100 * 2 ** Math.min(attempt - 1, 10))

/** A server that ended, or ran out of memory, this often while an invocation ran is taken to have done so because of it. */
export const mostStarts = 3

/** Attempts of a callback, over about an hour. */
export const mostAttempts = 8

/**
 * Exponential backoff with equal jitter (half fixed, half random, after Brooker, "Exponential Backoff And Jitter", 2015):
 * 2 s, 8 s, 32 s, ... to 15 minutes. `random` is from 0 to 1. Undefined: it is given up.
 */
export function callbackDelayMs(attempts: number, random: number): number | undefined {
  if (attempts >= mostAttempts) return undefined
  const full = Math.min(15 * 60_000, 2000 * 4 ** (attempts - 1))
  return Math.round(full / 2 + (full / 2) * random)
}

/** 2xx is taken; 410 asks for no more (Standard Webhooks); anything else is tried again. */
export function callbackVerdict(last: number | string): 'delivered' | 'failed' | 'retry' {
  if (typeof last === 'number' && last >= 200 && last < 300) return 'delivered'
  return last === 410 ? 'failed' : 'retry'
}
