/** Every night all layers learn from the samples of the day, with as many of the first pictures mixed in. */
import { adam, defineRetraining } from 'corun'

export default defineRetraining({
  model: 'scene',
  schedule: '30 3 * * *',
  // What a drift costs lies in the early layers too: the last block alone wins back half of what a night takes.
  trainable: 'all',
  optimizer: adam({ learningRate: 3e-4 }),
  epochs: 8,
  batchSize: 16,
  reference: 'reference',
})
