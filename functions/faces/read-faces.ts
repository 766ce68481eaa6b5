/** A photo through the two networks: where faces are, and a vector for each that says whose it is. */
import type { ModelHandle } from 'corun'
import { type Face, findFaces } from './find-faces.ts'
import { detectorFeed, faceFeed, type Picture, squareSide } from './picture.ts'

type Model = Pick<ModelHandle, 'run' | 'inputNames' | 'outputNames'>
export type Models = Record<'detection' | 'embedding', Model>

export interface FoundFace {
  /** Left, top, width, height. Unit: pixels of the upright picture. */
  box: [number, number, number, number]
  /** Probability that it is a face, 0 to 1. */
  score: number
  /** Of length 1. float32 [1024] */
  vector: Float32Array
}

/** The largest first. */
export async function readFaces(picture: Picture, models: Models, signal: AbortSignal): Promise<FoundFace[]> {
  const faces = findFaces(await detect(picture, models.detection))
  const side = squareSide(picture)
  const found: FoundFace[] = []
  for (const face of faces.sort((a, b) => b.height - a.height)) {
    signal.throwIfAborted()
    const [left, top] = [face.x - face.width / 2, face.y - face.height / 2]
    const box = [left, top, face.width, face.height].map(value => Math.round(value * side))
    const vector = await embed(picture, face, models.embedding)
    found.push({ box: box as FoundFace['box'], score: Math.round(face.score * 1000) / 1000, vector }) // four stay four
  }
  return found
}

/** The outputs have names of a converter's; their shapes tell them apart. */
async function detect(picture: Picture, { run, inputNames }: Model) {
  const outputs = Object.values(await run({ [inputNames[0] ?? '']: await detectorFeed(picture) }))
  const output = (anchors: number, numbers: number) => {
    const tensor = outputs.find(({ dims }) => dims[1] === anchors && dims[2] === numbers)
    if (tensor?.data instanceof Float32Array) return tensor.data
    throw new TypeError(`the detector gave no [1, ${anchors}, ${numbers}]`)
  }
  return [512, 384].map(anchors => ({ scores: output(anchors, 1), boxes: output(anchors, 16) }))
}

async function embed(picture: Picture, face: Face, model: Model): Promise<Float32Array> {
  const outputs = await model.run({ [model.inputNames[0] ?? '']: faceFeed(picture, face) })
  const data = outputs[model.outputNames[0] ?? '']?.data
  if (!(data instanceof Float32Array)) throw new TypeError('the embedder gave no vector')
  const length = Math.hypot(...data)
  return data.map(value => value / length)
}
