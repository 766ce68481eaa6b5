/** Models that tell what they said, request by request: class, probability and features. Handlers do not notice. */
import { Tensor } from 'onnxruntime-node'
import type { ModelHandle } from '../core/definition.ts'
import type { DeployedModel } from '../core/deployment.ts'
import type { ModelSaid } from '../core/messages.ts'
import { foldFeatures } from './features.ts'

/** What is known of a model beside its handle. */
export interface WatchedModel {
  model: DeployedModel
  /** Features of a run, by the outputs that its handler got; undefined where the model shows none. */
  features?: { of(outputs: object): Tensor | undefined; pooled: boolean } | undefined
}

/** What a request brings beyond this many rows, as many pictures as it may have, is not told of. */
const mostSaid = 1024

/** The same models; what those of `watched` say is added to `said`. */
export function watchModels(
  models: Record<string, ModelHandle>,
  watched: ReadonlyMap<string, WatchedModel>,
  said: ModelSaid[],
): Record<string, ModelHandle> {
  if (watched.size === 0) return models
  return Object.fromEntries(
    Object.entries(models).map(([name, handle]) => {
      const about = watched.get(name)
      if (about === undefined) return [name, handle]
      const run: ModelHandle['run'] = async feeds => {
        const outputs = await handle.run(feeds)
        for (const one of whatItSaid(about, outputs)) if (said.length < mostSaid) said.push(one)
        return outputs
      }
      return [name, { ...handle, run }]
    }),
  )
}

/** The first output that has a row of scores a picture, one a label. */
export function scoresOf(
  { labels }: Pick<DeployedModel, 'labels'>,
  outputs: Readonly<Record<string, unknown>>,
): { name: string; scores: Tensor; data: Float32Array } | undefined {
  const classes = labels.length
  for (const [name, value] of Object.entries(outputs)) {
    if (!(value instanceof Tensor) || !(value.data instanceof Float32Array)) continue
    const { dims, size } = value
    const fits = dims.length >= 2 && dims.at(-1) === classes && size === (dims[0] ?? 0) * classes
    if (fits) return { name, scores: value, data: value.data }
  }
  return undefined
}

function whatItSaid({ model, features }: WatchedModel, outputs: Record<string, Tensor>): ModelSaid[] {
  const found = scoresOf(model, outputs)
  if (found === undefined) return []
  const { name, scores, data } = found
  const classes = model.labels.length
  const raw = (model.outputs.find(output => output.name === name)?.activation ?? 'none') === 'none'
  const rows = scores.size / classes
  const shown = features?.of(outputs)
  const said: ModelSaid[] = []
  for (let row = 0; row < Math.min(rows, mostSaid); row += 1) {
    const best = bestOf(data.subarray(row * classes, (row + 1) * classes), raw)
    // Scores that overflowed say nothing that could be compared.
    if (!Number.isFinite(best.probability)) continue
    const folded = shown && foldFeatures(shown, row, rows, features?.pooled ?? false)
    said.push({
      model: model.id,
      version: model.sha256,
      ...best,
      ...(folded === undefined ? {} : { features: folded }),
    })
  }
  return said
}

/** `raw`: scores before softmax. */
function bestOf(scores: Float32Array, raw: boolean): Pick<ModelSaid, 'predicted' | 'probability'> {
  let predicted = 0
  for (const [at, score] of scores.entries()) if (score > (scores[predicted] ?? 0)) predicted = at
  const top = scores[predicted] ?? 0
  if (!raw) return { predicted, probability: top }
  const sum = scores.reduce((total, score) => total + Math.exp(score - top), 0)
  return { predicted, probability: 1 / sum }
}
