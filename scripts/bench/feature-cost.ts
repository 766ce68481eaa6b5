// What it costs a model to show its features: the same model with and without them, run in turns.
import { readFile } from 'node:fs/promises'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { exposeFeatures } from '../../runtime/onnx/index.ts'
import { interleave, ratios } from './interleave.ts'

/** Times with features over times without, one a round of 20 runs. `dims`: of the model's one input. */
export async function featureCost(file: string, dims: readonly number[], rounds: number): Promise<number[]> {
  const bytes = await readFile(file)
  const exposed = exposeFeatures(bytes)
  if (exposed === undefined) throw new Error(`${file} has no features to show`)
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1 }
  const plain = await InferenceSession.create(bytes, options)
  const shown = await InferenceSession.create(exposed.bytes, options)
  const size = dims.reduce((product, dim) => product * dim, 1)
  const data = Float32Array.from({ length: size }, (_, at) => Math.sin(at))
  const runs = (session: InferenceSession) => async () => {
    for (let run = 0; run < 20; run += 1) {
      await session.run({ [session.inputNames[0] ?? '']: new Tensor('float32', data, dims) })
    }
  }
  const times = await interleave({ shown: runs(shown), plain: runs(plain) }, { rounds, warmUp: 3 })
  await plain.release()
  await shown.release()
  return ratios(times.shown, times.plain)
}
