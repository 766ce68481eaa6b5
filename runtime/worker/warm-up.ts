/** Zeros to run a model on before it has seen a request: pure, from what is known of its inputs. */
import { Tensor } from 'onnxruntime-node'
import type { FunctionDescription } from '../core/definition-schema.ts'
import type { DeployedModel } from '../core/deployment.ts'

/**
 * One image's worth of zeros. An unknown first dimension is a batch of one; other unknown dimensions are those of the
 * function's picture when the model takes one. Undefined when a shape stays unknown or an input is not float32: such
 * a model warms up with its first request.
 */
export function warmUpFeeds(
  { inputs }: Pick<DeployedModel, 'inputs'>,
  input: FunctionDescription['input'],
): Record<string, Tensor> | undefined {
  const feeds: Record<string, Tensor> = {}
  for (const { name, type, dims } of inputs) {
    const guess =
      input.kind === 'image' && inputs.length === 1 && dims.length === 4
        ? [1, input.channels === 'gray' ? 1 : 3, input.height, input.width]
        : [1]
    const known = dims.map((dim, axis) => dim ?? guess[axis])
    if (type !== 'float32' || !known.every(dim => dim !== undefined)) return undefined
    const count = known.reduce((product, dim) => product * dim, 1)
    feeds[name] = new Tensor('float32', new Float32Array(count), known)
  }
  return feeds
}

/** For a trial whose answers only have to be comparable: sides that stay unknown are 64. */
export function trialFeeds(
  { inputs }: Pick<DeployedModel, 'inputs'>,
  input: FunctionDescription['input'],
): Record<string, Tensor> | undefined {
  const guessed = inputs.map(one => ({
    ...one,
    dims: one.dims.map((dim, axis) => dim ?? (axis === 0 ? 1 : 64)),
  }))
  return warmUpFeeds({ inputs }, input) ?? warmUpFeeds({ inputs: guessed }, input)
}
