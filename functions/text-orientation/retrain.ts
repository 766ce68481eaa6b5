/** Every night the model learns from the samples of the day, with half as many upright originals mixed in. */
import { adam, defineRetraining } from 'corun'

export default defineRetraining({
  model: 'orientation',
  schedule: '0 3 * * *',
  trainable: 'all',
  optimizer: adam({ learningRate: 2e-3 }),
  // Slowly at first: at the full rate the first epochs would unlearn more than they teach, and patience would end the run there.
  warmUp: 0.25,
  epochs: 16,
  patience: 6,
  batchSize: 16,
  reference: 'reference',
  // Half is enough to keep what the model knew; the time that this saves goes into more epochs on the samples.
  replay: 0.5,
  // What a camera does to a line as the day goes by: a few hundred labels show it at one moment only.
  augment: { exposure: 0.2, blur: 0.7, noise: 0.05 },
  // What serves is the mean of the last steps, not the last one.
  averaging: 0.99,
})
