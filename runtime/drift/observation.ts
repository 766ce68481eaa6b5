/** What one run of a model said, as drift is found from it. */
export interface Observation {
  /** Place of the predicted class among the model's labels. */
  predicted: number
  /** Of the predicted class, 0 to 1. */
  probability: number
  /** What the last layer took in, folded (see worker/features.ts); undefined where the model does not show it. */
  features?: readonly number[] | Float32Array | undefined
}
