/** How well plain models, as they would serve, do on pictures that were never trained on. */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { TrainerJob } from '../core/trainer-messages.ts'
import type { Control } from './control.ts'
import type { Dataset } from './dataset.ts'
import type { Score, Scorer } from './score.ts'
import { sessionOptions } from './session-options.ts'

export interface EvaluationOptions {
  job: TrainerJob
  /** Dimensions of a picture: channels, height, width. */
  dims: readonly number[]
  batchSize: number
  /** A new one a data set. */
  scorer(): Scorer
  control: Control
}

/**
 * Evaluates `model`, a file or its bytes, whose outputs are `labels`, on each of the data sets, whose targets are those of the
 * job's. A class that it does not know it never names. Undefined when it was stopped.
 * A model whose first dimension is fixed gets its pictures in batches of that size's only safe value, one.
 */
export async function evaluate(
  model: string | Uint8Array,
  datasets: readonly Dataset[],
  labels: readonly string[],
  options: EvaluationOptions,
): Promise<Score[] | undefined> {
  const session = await createSession(model, sessionOptions(options.job))
  try {
    const evaluations: Score[] = []
    for (const dataset of datasets) {
      const scorer = options.scorer()
      if (!(await score(session, dataset, labels, scorer, options))) return undefined
      evaluations.push(scorer.result())
    }
    return evaluations
  } finally {
    await session.release()
  }
}

/** The engine has a function for each of the two. */
export function createSession(
  model: string | Uint8Array,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  return typeof model === 'string'
    ? InferenceSession.create(model, options)
    : InferenceSession.create(model, options)
}

/** False when it was stopped. */
async function score(
  session: InferenceSession,
  dataset: Dataset,
  labels: readonly string[],
  scorer: Scorer,
  { job, dims, batchSize, control }: EvaluationOptions,
): Promise<boolean> {
  const { inputName, outputName } = job.model
  const places = job.labels.map(label => labels.indexOf(label))
  const metadata = session.inputMetadata.find(({ name }) => name === inputName)
  const fixed = metadata?.isTensor === true && typeof metadata.shape[0] === 'number'
  const size = fixed ? 1 : batchSize
  for (let start = 0; start < dataset.length; start += size) {
    if (!(await control.mayGoOn())) return false
    const indices = Array.from({ length: Math.min(size, dataset.length - start) }, (_, row) => start + row)
    const pictures = await Promise.all(indices.map(index => dataset.get(index)))
    const images = new Float32Array(pictures.length * dims.reduce((product, dim) => product * dim, 1))
    for (const [row, { data }] of pictures.entries()) images.set(data, row * data.length)
    const input = new Tensor('float32', images, [pictures.length, ...dims])
    const output = (await session.run({ [inputName]: input }, [outputName]))[outputName]
    const scores = Array.from(output?.data ?? [], Number)
    for (const [row, { targets }] of pictures.entries()) {
      const at = row * labels.length
      scorer.add(
        places.map(place => (place < 0 ? Number.NEGATIVE_INFINITY : (scores[at + place] ?? Number.NaN))),
        targets,
      )
    }
  }
  return true
}
