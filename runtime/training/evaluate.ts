/** Accuracy of plain models, as they would serve, on pictures that were never trained on. */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { Evaluation, TrainerJob } from '../core/messages.ts'
import type { Control } from './control.ts'
import type { Dataset } from './dataset.ts'
import type { Scorer } from './score.ts'
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
 * Evaluates the model in `file`, whose outputs are `labels`, on each of the data sets, whose targets are those of the
 * job's. A class that it does not know it never names. Undefined when it was stopped.
 * A model whose first dimension is fixed gets its pictures in batches of that size's only safe value, one.
 */
export async function evaluate(
  file: string,
  datasets: readonly Dataset[],
  labels: readonly string[],
  options: EvaluationOptions,
): Promise<Evaluation[] | undefined> {
  const session = await InferenceSession.create(file, sessionOptions(options.job))
  try {
    const evaluations: Evaluation[] = []
    for (const dataset of datasets) {
      const scorer = options.scorer()
      if (!(await score(session, dataset, labels, scorer, options))) return undefined
      evaluations.push({ accuracy: scorer.accuracy(), count: dataset.length })
    }
    return evaluations
  } finally {
    await session.release()
  }
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
