/** Promotion and rollback by the operator: the same switch as after a run, without the judging. */
import type { ModelStore } from '../models/model-store.ts'
import type { ModelView } from '../models/model-view.ts'
import type { RetrainingRegistry } from './registry.ts'

export interface ModelControl {
  list(): ModelView[]
  /** Throws `unknown-model`. */
  get(id: string): ModelView
  /** Throws `unknown-version`. */
  promote(id: string, sha256: string): Promise<ModelView>
  /** Throws `nothing-to-roll-back`. */
  rollback(id: string): Promise<ModelView>
}

const byHand = { by: 'operator', why: 'by hand' }

export function createModelControl(
  models: ModelStore,
  registry: Pick<RetrainingRegistry, 'switchModel'>,
): ModelControl {
  return {
    list: () => models.list(),
    get: id => models.get(id),
    async promote(id, sha256) {
      const version = models.version(id, sha256)
      await registry.switchModel(id, version, () => models.commitPromotion(id, sha256, byHand))
      return models.get(id)
    },
    async rollback(id) {
      const target = models.rollbackTarget(id)
      await registry.switchModel(id, target, async () => {
        await models.commitRollback(id, byHand)
      })
      return models.get(id)
    },
  }
}
