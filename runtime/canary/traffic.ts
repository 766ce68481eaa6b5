/** Requests while a candidate is on trial: which version each goes to, and what is counted of it. */
import type { Arm, Deployment } from '../core/deployment.ts'
import type { Truth } from '../drift/watch.ts'
import { type Answered, labelSaid, sameAnswer } from './answers.ts'
import { armOf } from './arm-of.ts'
import { countOutcome, countTruth, isFault } from './counts.ts'
import type { CanaryRecord } from './record.ts'

export interface RequestEnd {
  function: string
  /** That ran it; undefined: none. */
  deployment: string | undefined
  /** In the thread. Unit: ms. */
  runMs: number
  error?: unknown
  /** Of its answer. */
  status?: number | undefined
}

export interface CanaryTraffic {
  /** Which version answers a request. */
  armOf(name: string, requestId: string): Arm
  /** Whether the candidate shall also run for a request. */
  shadows(name: string, requestId: string): boolean
  ended(end: RequestEnd): void
  /** Both have run for a request; `copy` is undefined when no slot was free for the candidate. */
  shadowed(name: string, requestId: string, original: Answered, copy: Answered | undefined): void
  /** The truth about a request became known. */
  truth(truth: Truth): void
}

export interface Trial {
  record: CanaryRecord
  /** Its end is decided: nothing is counted any more. */
  ending: boolean
  /** What the candidate said to requests that both got, until the truth about them is known. Bounded, in memory. */
  copies: Map<string, string>
}

export interface TrafficOptions {
  /** The trial that requests of a function are counted for now. */
  counting(name: string): Trial | undefined
  /** The deployment that serves. */
  serving(name: string): Deployment | undefined
  /** Told after each change; `moved`: the candidate has one request more. */
  onCounted(trial: Trial, moved: boolean): void
}

/** Answers of a candidate that are remembered for feedback. */
const remembered = 20_000

export function createCanaryTraffic({ counting, serving, onCounted }: TrafficOptions): CanaryTraffic {
  const drawn = (mode: 'canary' | 'shadow', name: string, requestId: string): boolean => {
    const { record } = counting(name) ?? {}
    if (record === undefined || record.options.mode !== mode) return false
    return armOf(requestId, record.options.share, record.candidate) === 'candidate'
  }
  return {
    armOf: (name, requestId) => (drawn('canary', name, requestId) ? 'candidate' : 'current'),
    shadows: (name, requestId) => drawn('shadow', name, requestId),
    ended(end) {
      const trial = counting(end.function)
      if (trial === undefined || trial.record.options.mode !== 'canary') return
      const { counts, deployment } = trial.record
      const failed = isFault(end)
      if (failed === undefined) return
      if (end.deployment === deployment) {
        countOutcome(counts.candidate, { failed, runMs: end.runMs })
        onCounted(trial, true)
      } else if (end.deployment === serving(end.function)?.id) {
        countOutcome(counts.current, { failed, runMs: end.runMs })
        onCounted(trial, false)
      }
    },
    shadowed(name, requestId, original, copy) {
      const trial = counting(name)
      if (trial === undefined) return
      const { counts, deployment, model } = trial.record
      if (copy === undefined) {
        counts.skipped += 1
        return onCounted(trial, false)
      }
      const [before, after] = [isFault(original), isFault(copy)]
      if (copy.deployment.id !== deployment || before === undefined || after === undefined) return
      countOutcome(counts.current, { failed: before, runMs: original.runMs })
      countOutcome(counts.candidate, { failed: after, runMs: copy.runMs })
      const same = sameAnswer(original, copy, model)
      if (same !== undefined) counts.agreement[same ? 'same' : 'different'] += 1
      const label = labelSaid(copy, model)
      if (label !== undefined) remember(trial.copies, requestId, label)
      onCounted(trial, true)
    },
    truth({ function: name, model, version, requestId, label, correct }) {
      const trial = counting(name)
      if (trial === undefined || trial.record.model !== model) return
      const { counts, options, current, candidate } = trial.record
      if (options.mode === 'canary') {
        if (version === candidate) countTruth(counts.candidate, correct)
        if (version === current) countTruth(counts.current, correct)
        return onCounted(trial, false)
      }
      const said = trial.copies.get(requestId)
      if (said === undefined || version !== current) return
      trial.copies.delete(requestId)
      const right = said === label
      countTruth(counts.current, correct)
      countTruth(counts.candidate, right)
      counts.pairs[right === correct ? 'equal' : right ? 'better' : 'worse'] += 1
      onCounted(trial, false)
    },
  }
}

function remember(known: Map<string, string>, requestId: string, label: string): void {
  known.set(requestId, label)
  if (known.size > remembered) known.delete(known.keys().next().value ?? '')
}
