/** After training: the candidate enters the store, is judged, and takes over, goes on trial, or is put away. */
import type { Canaries } from '../canary/canaries.ts'
import type { CanaryView } from '../canary/record.ts'
import type { CheckedRetraining } from '../core/definition-schema.ts'
import { CorunError } from '../core/errors.ts'
import type { ModelStore } from '../models/model-store.ts'
import type { Logger } from '../observe/log.ts'
import { type Decision, decide } from './decide.ts'
import type { RetrainingRegistry } from './registry.ts'
import type { RunRecord } from './run-record.ts'
import type { TrainingDone } from './training-process.ts'

export interface Verdict {
  decision: Decision
  candidate: string
  /** It is tried on live requests before it takes over. */
  canary?: CanaryView
}

export interface Recipe {
  accept: CheckedRetraining['accept']
  labels: readonly string[]
  canary?: CheckedRetraining['canary']
}

export interface JudgeContext {
  models: ModelStore
  registry: RetrainingRegistry
  canaries: Pick<Canaries, 'begin'>
  log: Logger
}

/** Never leaves a candidate undecided: one that cannot be loaded is rejected, and the failure goes on. */
export async function judgeAndSwitch(
  run: RunRecord,
  done: TrainingDone,
  { accept, labels, canary: options }: Recipe,
  { models, registry, canaries, log }: JudgeContext,
): Promise<Verdict> {
  // An earlier version is in the store already, with its own lineage; rejecting it changes nothing.
  const candidate =
    done.earlier === undefined
      ? await models.addCandidate(run.model, done.candidateFile, {
          parent: run.parent,
          runId: run.id,
          labels,
          metrics: done.after,
        })
      : models.version(run.model, done.earlier)
  const { sha256 } = candidate
  const decision = decide(done, accept)
  const moved = () => models.get(run.model).current !== run.parent
  const noteMoved = () => {
    decision.promote = false
    decision.reasons.unshift('the current version changed while this one was trained')
  }
  if (moved()) noteMoved()
  const turnDown = async (): Promise<Verdict> => {
    await models.rejectCandidate(run.model, sha256, { by: run.by, why: decision.reasons.join('; ') })
    return { decision, candidate: sha256 }
  }
  if (!decision.promote) return turnDown()
  const why = decision.reasons.join('; ')
  try {
    if (options !== undefined) {
      const { function: name, model, id, by } = run
      const start = { function: name, model, run: id, candidate, options, by, why }
      return { decision, candidate: sha256, canary: await canaries.begin(start) }
    }
    await registry.switchModel(run.model, candidate, async () => {
      // An operator's switch may have had its turn first.
      if (moved()) throw new CorunError('retraining-conflict', `version ${run.parent} serves no more`)
      await models.commitPromotion(run.model, sha256, { by: run.by, why })
    })
  } catch (error) {
    if (moved()) {
      noteMoved()
      return turnDown()
    }
    log.error({ run: run.id, candidate: sha256, err: error }, 'the candidate was not promoted')
    await models.rejectCandidate(run.model, sha256, {
      by: run.by,
      why: 'it could not be loaded and promoted',
    })
    throw error
  }
  return { decision, candidate: sha256 }
}
