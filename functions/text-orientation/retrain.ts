/** Every night the model learns from the samples of the day, with half as many upright originals mixed in. */
import { adam, defineRetraining } from 'corun'

export default defineRetraining({
  model: 'orientation',
  schedule: '0 3 * * *',
  trainable: 'all',
  optimizer: adam({ learningRate: 1e-3 }),
  epochs: 10,
  batchSize: 16,
  reference: 'reference',
  // Half is enough to keep what the model knew; the time that this saves goes into more epochs on the samples.
  replay: 0.5,
})
