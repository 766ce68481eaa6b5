/**
 * What served last of each function, over restarts: a source that is broken when the box starts does not take down what
 * has served. In `state/deployments.json`; the bundles are bundle-files.ts's to keep.
 */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type Deployment, deploymentSchema } from '../core/deployment.ts'
import { packageVersion } from '../core/package-root.ts'
import type { Logger } from '../observe/log.ts'
import { openState, type StateFile } from '../state/state-file.ts'
import { deploymentId } from './entry.ts'
import { describeModel, type ModelSource } from './resolve-models.ts'

const stateSchema = z.object({
  version: z.literal(1),
  /** A bundle has parts of Corun in it, and goes with this version alone. */
  corun: z.string(),
  deployments: z.record(z.string(), deploymentSchema),
})

export interface LastGood {
  /** What is known of before this start. */
  open(): Promise<void>
  /** All that was noted. */
  list(): Deployment[]
  /** It serves now. Resolves when that is on disk, or cannot be. */
  note(deployment: Deployment): Promise<void>
  /** The function has been removed. */
  forget(name: string): Promise<void>
  /** With the versions of its models that are current now. Rejects when something of it is gone; undefined: there is none. */
  find(name: string): Promise<Deployment | undefined>
}

export function createLastGood(dataDir: string, models: ModelSource, log: Logger): LastGood {
  let state: StateFile<z.output<typeof stateSchema>> | undefined
  const known = () => (state?.data.corun === packageVersion ? state.data.deployments : {})

  async function update(change: (deployments: Record<string, Deployment>) => void): Promise<void> {
    try {
      await state?.update(draft => {
        if (draft.corun !== packageVersion) Object.assign(draft, { corun: packageVersion, deployments: {} })
        change(draft.deployments)
      })
    } catch (error) {
      log.warn({ err: error }, 'what serves was not noted for the next start')
    }
  }

  return {
    async open() {
      const none = { version: 1, corun: packageVersion, deployments: {} } as const
      try {
        state = await openState(join(dataDir, 'state', 'deployments.json'), stateSchema, none)
      } catch (error) {
        // It is of use for a broken source alone: no reason not to start.
        log.warn({ err: error }, 'what served last is not known')
      }
    },
    list: () => Object.values(known()),
    async note(deployment) {
      const { function: name, id } = deployment
      if (known()[name]?.id === id) return
      await update(deployments => {
        deployments[name] = withoutForms(deployment)
      })
    },
    forget: name =>
      update(deployments => {
        delete deployments[name]
      }),
    async find(name) {
      const kept = Object.hasOwn(known(), name) ? known()[name] : undefined
      if (kept === undefined) return undefined
      await access(kept.bundle)
      const current = Object.entries(kept.models).map(
        async ([key, { id }]) => [key, await describeModel(id, models.current(id))] as const,
      )
      const found = Object.fromEntries(await Promise.all(current))
      return { ...kept, id: deploymentId(kept.bundleHash, found), models: found }
    },
  }
}

/** The forms in which threads open models are found anew. */
const withoutForms = (deployment: Deployment): Deployment => ({
  ...deployment,
  models: Object.fromEntries(
    Object.entries(deployment.models).map(([key, { prepared: _, ...model }]) => [key, model]),
  ),
})
