/** What PyTorch computes for some of the networks: test/fixtures/networks/NAME.json, which tests compare with. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { fixtures } from './load-network.ts'

export const expectationsSchema = z.strictObject({
  /** In float64, as everything here. */
  loss: z.number(),
  /** Worst tensor of PyTorch's own float32 gradients: largest difference relative to the tensor's largest entry. */
  float32Error: z.number(),
  /** The loss before each of ten steps on the same batch. */
  curves: z.strictObject({
    sgd: z.strictObject({ learningRate: z.number(), losses: z.array(z.number()) }),
    adam: z.strictObject({ learningRate: z.number(), losses: z.array(z.number()) }),
  }),
  /** By parameter: norm, largest entry, sum with random signs (see summary.ts). */
  gradients: z.record(z.string(), z.tuple([z.number(), z.number(), z.number()])),
})
export type Expectations = z.infer<typeof expectationsSchema>

export const expectationsOf = (name: string): URL => new URL(`${name}.json`, fixtures)

export function loadExpectations(name: string): Expectations {
  return expectationsSchema.parse(JSON.parse(readFileSync(expectationsOf(name), 'utf8')))
}
