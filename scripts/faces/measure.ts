// How often the function faces takes one person for another, or does not know one again, by threshold: each face of the
// sample photographs against its retakes, and against the other faces of its own photograph, who are surely others.
// `node --import tsx scripts/faces/measure.ts`
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { similarity } from '../../functions/faces/match.ts'
import { decodePicture } from '../../functions/faces/picture.ts'
import { type FoundFace, type Models, readFaces } from '../../functions/faces/read-faces.ts'
import { packageRoot } from '../../runtime/core/package-root.ts'
import { importTensorflow } from '../../runtime/importing/import-tensorflow.ts'
import { readModelFiles } from '../../runtime/importing/read-files.ts'
import { photograph, photographs, retakes } from './samples.ts'

const models: Models = {
  detection: await open('blazeface', {}),
  embedding: await open('faceres', { outputs: ['global_pooling/Mean'] }),
}
const same: number[] = []
const different: number[] = []
let [faces, missed] = [0, 0]

for (let index = 1; index <= photographs; index += 1) {
  const photo = await photograph(index)
  const { width, found } = await facesOf(photo)
  faces += found.length
  for (const [name, retake] of Object.entries(retakes)) {
    const again = await facesOf(await retake(photo))
    for (const face of found) {
      const middle = middleOf(face, width)
      const match = again.found.find(other => {
        const [x, y] = middleOf(other, again.width)
        return (
          Math.hypot((name === 'mirrored' ? 1 - x : x) - middle[0], y - middle[1]) <
          (0.4 * face.box[2]) / width
        )
      })
      if (match === undefined) missed += 1
      else same.push(similarity(face.vector, match.vector))
      for (const other of found) {
        if (match !== undefined && other !== face) different.push(similarity(other.vector, match.vector))
      }
    }
  }
}

console.log(`${faces} faces; ${missed} of ${same.length + missed} not found in a retake`)
console.log('threshold  not known again  taken for another')
for (let least = 0.3; least < 0.95; least += 0.05) {
  const unknown = same.filter(value => value < least).length / same.length
  const wrong = different.filter(value => value >= least).length / different.length
  console.log(`${least.toFixed(2).padEnd(9)}  ${unknown.toFixed(4).padEnd(15)}  ${wrong.toFixed(4)}`)
}
console.log(`of ${same.length} pairs of one face, and ${different.length} of two`)

async function open(name: string, options: { outputs?: string[] }): Promise<Models['detection']> {
  const file = join(packageRoot, `node_modules/@vladmandic/human/models/${name}.json`)
  const { json, groups } = await readModelFiles(file)
  const session = await InferenceSession.create(importTensorflow(json, groups, options))
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    run: feeds =>
      session.run(
        Object.fromEntries(
          Object.entries(feeds).map(
            ([name, { data, dims }]) => [name, new Tensor('float32', data, dims)] as const,
          ),
        ),
      ),
  }
}

async function facesOf(photo: Buffer): Promise<{ width: number; found: FoundFace[] }> {
  const picture = await decodePicture(photo)
  if (picture === undefined) throw new Error('a sample is no picture')
  return { width: picture.width, found: await readFaces(picture, models, new AbortController().signal) }
}

/** In shares of the photograph's width. */
function middleOf({ box: [left, top, width, height] }: FoundFace, whole: number): [number, number] {
  return [(left + width / 2) / whole, (top + height / 2) / whole]
}
