/** How make-function.ts trains the last layer from nothing: that layer alone, so that the network before it stays as it came. */
import { adam, defineRetraining } from 'corun'

export default defineRetraining({
  model: 'scene',
  trainable: 'head',
  optimizer: adam({ learningRate: 3e-3, weightDecay: 1e-3 }),
  epochs: 40,
  patience: 0,
})
