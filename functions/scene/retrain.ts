/** Every night the last layer learns from the samples of the day, with as many of the first pictures mixed in. */
import { adam, defineRetraining } from 'corun'

export default defineRetraining({
  model: 'scene',
  schedule: '30 3 * * *',
  // The features of a picture are computed once, so that an epoch takes a fraction of a second.
  trainable: 'head',
  optimizer: adam({ learningRate: 3e-3, weightDecay: 1e-3 }),
  epochs: 40,
  patience: 0,
  batchSize: 16,
  reference: 'reference',
})
