/** What a candidate is worth beside the version that serves: on the same pictures, and in the same time. */
import type { Comparison, Latency } from '../core/trainer-messages.ts'
import type { VersionMetrics } from '../models/lineage.ts'
import type { Dataset } from './dataset.ts'
import { type EvaluationOptions, evaluate } from './evaluate.ts'
import { compareLatency, type LatencyOptions } from './latency.ts'
import { compareScores } from './paired-test.ts'
import type { Score } from './score.ts'

/** A model's file, and its classes in the order of its outputs. */
export interface Contestant {
  file: string
  labels: readonly string[]
}

export interface Judgement {
  before: VersionMetrics
  after: VersionMetrics
  comparison: { heldOut: Comparison; reference: Comparison }
  latency: Latency
}

/** Undefined when it was stopped. */
export async function judge(
  before: Contestant,
  after: Contestant,
  pictures: { heldOut: Dataset; reference: Dataset },
  options: EvaluationOptions & Pick<LatencyOptions, 'maxSlowdown'>,
): Promise<Judgement | undefined> {
  const sets = [pictures.heldOut, pictures.reference]
  const first = await evaluate(before.file, sets, before.labels, options)
  const second = first && (await evaluate(after.file, sets, after.labels, options))
  const latency = second && (await compareLatency(before.file, after.file, options))
  if (first === undefined || second === undefined || latency === undefined) return undefined
  const compare = (set: number) => compareScores(first[set]?.scores ?? [], second[set]?.scores ?? [])
  return {
    before: metricsOf(first),
    after: metricsOf(second),
    comparison: { heldOut: compare(0), reference: compare(1) },
    latency,
  }
}

function metricsOf([heldOut, reference]: readonly Score[]): VersionMetrics {
  const short = (score: Score | undefined) => ({
    accuracy: score?.accuracy ?? null,
    count: score?.count ?? 0,
  })
  return { heldOut: short(heldOut), reference: short(reference) }
}
