/** In which form threads open a model, shared weights or plain: pure. */
import type { Provider } from '../core/config.ts'

export interface FormFacts {
  provider: Provider
  /** Of the ONNX file. */
  fileBytes: number
  /** Left out before the shared form has been made. */
  trial?: {
    /** Weights that would be shared. */
    weightBytes: number
    /** Whether both forms answer the same; undefined where no input could be made up. */
    same: boolean | undefined
    /** Times of runs in turns. Unit: ms. */
    plainMs: readonly number[]
    sharedMs: readonly number[]
  }
}

export interface FormChoice {
  form: 'shared' | 'plain'
  why: string
}

/** Below this a copy a thread is not worth the trial, which takes some tenths of a second when a model is first seen. */
const leastBytes = 8 * 2 ** 20

/** Shared weights are not packed for the engine's matrix products: what that may cost. */
const mostSlowdown = 1.1

/** `try`: it takes a trial to say. */
export function chooseForm({ provider, fileBytes, trial }: FormFacts): FormChoice | 'try' {
  const plain = (why: string): FormChoice => ({ form: 'plain', why })
  if (provider !== 'cpu') return plain(`weights lie in the memory of the provider, ${provider}`)
  if (fileBytes < leastBytes) return plain('the model is too small to share')
  if (trial === undefined) return 'try'
  const { weightBytes, same, plainMs, sharedMs } = trial
  if (weightBytes < leastBytes) return plain('its weights are too small to share')
  if (same === undefined) return plain('no input could be made up to compare the shared form with')
  if (!same) return plain('the shared form answers otherwise')
  // What else the box does only makes a run longer: the shortest of each is the form's own.
  const ratio = Math.min(...sharedMs) / Math.min(...plainMs)
  const times = `its runs take ${ratio.toFixed(2)} times as long`
  return ratio > mostSlowdown
    ? plain(`shared, ${times}, of ${mostSlowdown} at most`)
    : { form: 'shared', why: `one copy of the weights for all threads; ${times}` }
}
