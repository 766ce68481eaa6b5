/** Every night the last block and layer learn from the samples of the day, with as many of the first pictures mixed in. */
import { adam, defineRetraining } from 'corun'

export default defineRetraining({
  model: 'scene',
  schedule: '30 3 * * *',
  // What comes before it is computed once for each picture. The last layer alone wins back less of what a drift costs.
  trainable: { lastBlocks: 1 },
  optimizer: adam({ learningRate: 5e-4 }),
  epochs: 10,
  batchSize: 16,
  reference: 'reference',
})
