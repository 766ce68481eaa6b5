/** What the models that are loaded take. */
import type { Registry } from 'prom-client'
import { addGauge } from './gauge.ts'

/** Of a model in a deployment that is loaded. */
export interface ModelFacts {
  model: string
  /** What its deployment is loaded for. */
  role: string
  weights: 'shared' | 'plain'
  sessions: number
  estimatedBytes: number
}

const labels = ['model', 'weights', 'role']

export function addModelMetrics(registers: Registry[], facts: () => readonly ModelFacts[]): void {
  const labelled = (name: string, help: string, read: (facts: ModelFacts) => number) =>
    addGauge(registers, { name, help, labels }, () =>
      facts().map(each => {
        const { model, weights, role } = each
        return [{ model, weights, role }, read(each)]
      }),
    )
  labelled(
    'corun_model_sessions',
    'Sessions of a model, whose weights are shared or plain (a copy each), by what they are loaded for',
    ({ sessions }) => sessions,
  )
  labelled(
    'corun_model_weights_bytes_estimate',
    'Memory of the weights of a model in all its sessions, estimated by file sizes',
    ({ estimatedBytes }) => estimatedBytes,
  )
}
