/** Another version of the real model, as a retraining would make one. */
import { readFile } from 'node:fs/promises'
import { parametersOf, readGraph, replaceWeights } from '../../runtime/onnx/index.ts'
import { realModel } from '../training/real-model.ts'

/** Its first weights are all `nth` tenths. */
export async function movedWeights(nth = 1): Promise<Uint8Array> {
  const bytes = await readFile(realModel)
  const [parameter] = parametersOf(readGraph(bytes))
  if (parameter === undefined) throw new Error('a model without weights')
  const count = parameter.dims.reduce((product, dim) => product * dim, 1)
  return replaceWeights(bytes, new Map([[parameter.name, new Float32Array(count).fill(nth / 10)]]))
}
