/** The sizes of parts that memory did not hold, in `state/micro-batches.json`, by model. */
import { join } from 'node:path'
import { z } from 'zod'
import { openState } from '../state/state-file.ts'
import { limitInForce, type MicroBatchLimit, microBatchLimitSchema } from './smaller-parts.ts'

const stateSchema = z.object({ version: z.literal(1), models: z.record(z.string(), microBatchLimitSchema) })

export interface MicroBatchLimits {
  /** The most pictures at once for a run of this model that may take `memoryBytes`; undefined: no limit is known. */
  of(modelId: string, memoryBytes: number | undefined): number | undefined
  remember(modelId: string, limit: MicroBatchLimit): Promise<void>
}

export async function openMicroBatchLimits(dataDir: string): Promise<MicroBatchLimits> {
  const state = await openState(join(dataDir, 'state', 'micro-batches.json'), stateSchema, {
    version: 1,
    models: {},
  })
  return {
    of: (modelId, memoryBytes) => limitInForce(state.data.models[modelId], memoryBytes),
    remember: (modelId, limit) =>
      state.update(({ models }) => {
        models[modelId] = limit
      }),
  }
}
