/** Metrics of candidates that are tried on live requests. */
import type { Registry } from 'prom-client'
import { addGauge } from './gauge.ts'

/** Of one of the two versions. */
interface ArmFacts {
  requests: number
  errors: number
  p50Ms: number | null
  p95Ms: number | null
  accuracy: { value: number } | null
}

export interface CanaryFacts {
  model: string
  mode: 'canary' | 'shadow'
  current: ArmFacts
  candidate: ArmFacts
  /** In a shadow. */
  agreement: { same: number; different: number; skipped: number } | null
}

const arms = ['current', 'candidate'] as const

/** `facts` is read when metrics are scraped; what is no longer tried is no longer there. */
export function addCanaryMetrics(registers: Registry[], facts: () => readonly CanaryFacts[]): void {
  const ofArms = (name: string, help: string, read: (arm: ArmFacts) => number | null) =>
    addGauge(registers, { name, help, labels: ['model', 'mode', 'arm'] }, () =>
      facts().flatMap(each => {
        const { model, mode } = each
        return arms.map(arm => [{ model, mode, arm }, read(each[arm]) ?? Number.NaN])
      }),
    )
  ofArms(
    'corun_canary_requests',
    'Requests of a trial, by the version that answered: current or candidate',
    arm => arm.requests,
  )
  ofArms(
    'corun_canary_errors',
    'Requests of a trial that failed by a fault of the version',
    arm => arm.errors,
  )
  const seconds = (ms: number | null) => (ms === null ? null : ms / 1000)
  ofArms('corun_canary_run_p50_seconds', 'Median of run times in a trial', arm => seconds(arm.p50Ms))
  ofArms('corun_canary_run_p95_seconds', 'p95 of run times in a trial', arm => seconds(arm.p95Ms))
  ofArms(
    'corun_canary_accuracy',
    'Share of answers with feedback that were right in a trial',
    arm => arm.accuracy?.value ?? null,
  )
  addGauge(
    registers,
    {
      name: 'corun_canary_shadow_answers',
      help: 'Requests that both versions ran for, by whether they said the same; skipped: no slot was free for the second',
      labels: ['model', 'answer'],
    },
    () =>
      facts().flatMap(({ model, agreement }) =>
        Object.entries(agreement ?? {}).map(([answer, count]) => [{ model, answer }, count]),
      ),
  )
}
