// A function that is quick to serve and to retrain: is a picture of 8 x 8 brighter on its left or on its right side?
// A run takes its trainer's start and little more, so that a hundred of them take minutes.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { createNode, floatTensor, type Graph, writeGraph } from '../../runtime/onnx/index.ts'
import type { LoadItem } from '../bench/load.ts'
import { randomFrom } from '../pictures/random.ts'

export const tinyName = 'side'
export const tinyModel = `${tinyName}.net`
const size = 8
const hidden = 16

export interface TinyOptions {
  epochs: number
  checkpointSteps: number
}

/** Writes `<folder>/side`. Every run promotes: what is watched is the loop, not its learning. */
export async function writeTinyFunction(
  folder: string,
  { epochs, checkpointSteps }: TinyOptions,
): Promise<void> {
  const target = join(folder, tinyName)
  await mkdir(target, { recursive: true })
  await writeFile(join(target, 'net.onnx'), writeGraph(network()))
  await writeFile(
    join(target, 'function.ts'),
    `import { defineFunction, image } from 'corun'
    export default defineFunction({
      models: { net: { path: 'net.onnx', labels: ['left', 'right'] } },
      input: image({ width: ${size}, height: ${size}, channels: 'gray', fit: 'fill' }),
      async handler(x, { models }) {
        const { y } = await models.net.run({ x })
        return models.net.top1(y)
      },
    })`,
  )
  await writeFile(
    join(target, 'retrain.ts'),
    `import { adam, defineRetraining } from 'corun'
    export default defineRetraining({
      model: 'net', optimizer: adam({ learningRate: 1e-3 }), epochs: ${epochs}, batchSize: 8, patience: 0,
      checkpointSteps: ${checkpointSteps},
      accept: { minGain: -1, maxForgetting: 1, minSamples: 5, maxSlowdown: 1000 },
    })`,
  )
}

/** Pictures beside the function that a profile can train on, and a retraining that takes them. */
export async function writeTinyReference(
  folder: string,
  { count, batchSize }: { count: number; batchSize: number },
): Promise<void> {
  const target = join(folder, tinyName)
  await writeFile(
    join(target, 'retrain.ts'),
    `import { defineRetraining, sgd } from 'corun'
    export default defineRetraining({ model: 'net', optimizer: sgd({ learningRate: 1e-3 }), batchSize: ${batchSize}, reference: 'reference' })`,
  )
  for (const [index, { body, label }] of (await tinyPictures(count, 3)).entries()) {
    await mkdir(join(target, 'reference', `${label}`), { recursive: true })
    await writeFile(join(target, 'reference', `${label}`, `${index}.png`), body)
  }
}

/** x [N, 1, 8, 8] -> 64 -> 16 -> logits [N, 2] */
function network(): Graph {
  const random = randomFrom(1, 'weights')
  const layer = (inputs: number, outputs: number) =>
    floatTensor(
      [inputs, outputs],
      Array.from({ length: inputs * outputs }, () => random.normal() * Math.sqrt(2 / inputs)),
    )
  return {
    name: 'side',
    inputs: [{ name: 'x', type: 'float32', dims: ['N', 1, size, size] }],
    outputs: [{ name: 'y', type: 'float32', dims: ['N', 2] }],
    nodes: [
      createNode('Flatten', ['x'], ['flat']),
      createNode('Gemm', ['flat', 'w1', 'b1'], ['h']),
      createNode('Relu', ['h'], ['r']),
      createNode('Gemm', ['r', 'w2', 'b2'], ['y']),
    ],
    initializers: new Map([
      ['w1', layer(size * size, hidden)],
      ['b1', floatTensor([hidden], Array(hidden).fill(0))],
      ['w2', layer(hidden, 2)],
      ['b2', floatTensor([2], [0, 0])],
    ]),
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  }
}

/** Pictures that are all different. */
export async function tinyPictures(count: number, seed: number): Promise<LoadItem[]> {
  const random = randomFrom(seed, 'pictures')
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const label = index % 2 === 0 ? 'left' : 'right'
      const bright = (x: number) => x < size / 2 === (label === 'left')
      const pixels = Array.from({ length: size * size }, (_, at) =>
        Math.round(random.between(0, 60) + (bright(at % size) ? 120 : 40)),
      )
      const raw = { width: size, height: size, channels: 1 } as const
      const body = await sharp(Buffer.from(pixels), { raw }).png().toBuffer()
      return { body, label, contentType: 'image/png' }
    }),
  )
}
