/** Promotion, rollback and pins by the operator: the same switch as after a run, without the judging. */
import type { Canaries } from '../canary/canaries.ts'
import type { ModelStore, SwitchReason } from '../models/model-store.ts'
import type { ModelView } from '../models/model-view.ts'
import type { RetrainingRegistry } from './registry.ts'

export interface ModelControl {
  list(): ModelView[]
  /** Throws `unknown-model`. */
  get(id: string): ModelView
  /** Ends a trial of another version. Throws `unknown-version`. */
  promote(id: string, sha256: string, reason?: Partial<SwitchReason>): Promise<ModelView>
  /** While a version is on trial that one is taken back, and what serves serves on. Throws `nothing-to-roll-back`. */
  rollback(id: string, reason?: Partial<SwitchReason>): Promise<ModelView>
  /** Keeps a version for good, or no longer. Throws `unknown-version`. */
  pin(id: string, sha256: string, pinned: boolean, reason?: Partial<SwitchReason>): Promise<ModelView>
}

const byHand: SwitchReason = { by: 'operator', why: 'by hand' }

export function createModelControl(
  models: ModelStore,
  registry: Pick<RetrainingRegistry, 'switchModel'>,
  canaries: Pick<Canaries, 'list' | 'stop'>,
): ModelControl {
  return {
    list: () => models.list(),
    get: id => models.get(id),
    async promote(id, sha256, reason) {
      const version = models.version(id, sha256)
      await registry.switchModel(id, version, () =>
        models.commitPromotion(id, sha256, { ...byHand, ...reason }),
      )
      return models.get(id)
    },
    async rollback(id, reason) {
      const tried = canaries.list().find(({ model }) => model === id)
      if (tried !== undefined && (await canaries.stop(tried.function, { ...byHand, ...reason }))) {
        return models.get(id)
      }
      const target = models.rollbackTarget(id)
      await registry.switchModel(id, target, async () => {
        await models.commitRollback(id, { ...byHand, ...reason })
      })
      return models.get(id)
    },
    async pin(id, sha256, pinned, reason) {
      await models.pin(id, sha256, pinned, { ...byHand, ...reason })
      return models.get(id)
    },
  }
}
