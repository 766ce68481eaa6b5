/** A model as a handler sees it: checked names, and the best classes of an output. */
import { type InferenceSession, Tensor } from 'onnxruntime-node'
import type { Classification, Feed, ModelHandle } from '../core/definition.ts'
import type { DeployedModel } from '../core/deployment.ts'
import { classify } from './classify.ts'

export type RunModel = (feeds: Record<string, Tensor>) => Promise<InferenceSession.OnnxValueMapType>

/** An output that handlers never see, kept by the outputs that they do see. */
export interface HiddenOutput {
  name: string
  values: WeakMap<object, Tensor>
}

export function createModelHandle(
  name: string,
  model: DeployedModel,
  session: Pick<InferenceSession, 'inputNames' | 'outputNames'>,
  run: RunModel,
  hidden?: HiddenOutput,
): ModelHandle {
  const { inputNames } = session
  const outputNames = session.outputNames.filter(output => output !== hidden?.name)
  const activations = new Map(model.outputs.map(output => [output.name, output.activation]))
  /** Which output a tensor is, for those that came from this model. */
  const origins = new WeakMap<Tensor, string>()

  function topK(output: Tensor | undefined, count: number): Classification[] {
    if (output === undefined) {
      throw new Error(`model "${name}" has no such output; its outputs are ${outputNames.join(', ')}`)
    }
    if (!(output.data instanceof Float32Array)) {
      throw new Error(`an output of model "${name}" is ${output.type}; expected float32 [1, classes]`)
    }
    const activation = activations.get(origins.get(output) ?? '') ?? 'none'
    return classify(output.data, activation, model.labels, count)
  }

  return {
    labels: model.labels,
    inputNames,
    outputNames,
    version: model.sha256,
    async run(feeds) {
      const wrong = Object.keys(feeds).find(input => !inputNames.includes(input))
      const missing = inputNames.find(input => !Object.hasOwn(feeds, input))
      if (wrong !== undefined || missing !== undefined) {
        const what = wrong === undefined ? `input "${missing}" is missing` : `there is no input "${wrong}"`
        throw new Error(`model "${name}": ${what}; its inputs are ${inputNames.join(', ')}`)
      }
      const tensors: Record<string, Tensor> = {}
      for (const [input, feed] of Object.entries(feeds)) {
        tensors[input] = toTensor(feed, `model "${name}": input "${input}"`)
      }
      const outputs: Record<string, Tensor> = {}
      for (const [output, value] of Object.entries(await run(tensors))) {
        if (!(value instanceof Tensor)) continue // sequences and maps have no place in an image model
        if (output === hidden?.name) {
          hidden.values.set(outputs, value)
          continue
        }
        origins.set(value, output)
        outputs[output] = value
      }
      return outputs
    },
    top1(output) {
      const [best] = topK(output, 1)
      if (best === undefined) throw new Error(`an output of model "${name}" is empty`)
      return best
    },
    topK,
  }
}

function toTensor(feed: Feed, what: string): Tensor {
  if (feed instanceof Tensor) return feed
  const { data, dims } = feed ?? {}
  if (!(data instanceof Float32Array) || !Array.isArray(dims)) {
    throw new Error(`${what}: expected a Tensor, or { data: Float32Array, dims: number[] }`)
  }
  return new Tensor('float32', data, dims)
}
