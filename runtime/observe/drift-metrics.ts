/** How far the models that are watched have drifted, and how right they are. */
import type { Registry } from 'prom-client'
import { addGauge } from './gauge.ts'

/** Of a model that is watched. */
export interface DriftFacts {
  model: string
  level: 'stable' | 'warning' | 'drifted'
  /** `risk`: 1 and below is an alarm. */
  findings: readonly { test: string; window: number; statistic: number; risk: number }[]
  accuracy: { value: number; interval: readonly [number, number] } | null
}

const levels = ['stable', 'warning', 'drifted']

export function addDriftMetrics(registers: Registry[], facts: () => readonly DriftFacts[]): void {
  addGauge(
    registers,
    { name: 'corun_drift_level', help: '0 stable, 1 warning, 2 drifted', labels: ['model'] },
    () => facts().map(({ model, level }) => [{ model }, levels.indexOf(level)]),
  )
  addGauge(
    registers,
    {
      name: 'corun_drift_risk',
      help: 'Probability of what was found without drift, over what it may take of the false-alarm rate: 1 is an alarm',
      labels: ['model', 'test', 'window'],
    },
    () =>
      facts().flatMap(({ model, findings }) =>
        findings.map(({ test, window, risk }) => [{ model, test, window }, risk] as const),
      ),
  )
  addGauge(
    registers,
    {
      name: 'corun_labelled_accuracy',
      help: 'Share of the last answers with feedback that were right, and its Wilson interval of 95 %',
      labels: ['model', 'bound'],
    },
    () =>
      facts().flatMap(({ model, accuracy }) => {
        if (accuracy === null) return []
        const [lower, upper] = accuracy.interval
        return Object.entries({ value: accuracy.value, lower, upper }).map(
          ([bound, value]) => [{ model, bound }, value] as const,
        )
      }),
  )
}
