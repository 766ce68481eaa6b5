// What the suite `corun` serves and trains: the shipped function, and networks of the paper on photographs.
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import orientation from '../../../functions/text-orientation/function.ts'
import { type ImageInput, image } from '../../../runtime/core/definition.ts'
import { imageInputSchema } from '../../../runtime/core/definition-schema.ts'
import { packageRoot } from '../../../runtime/core/package-root.ts'
import { makeSet } from '../../pictures/make-set.ts'
import { randomFrom } from '../../pictures/random.ts'
import type { LoadItem } from '../load.ts'
import { networkSubject } from '../training-subject.ts'

/** Functions in a folder, and what they are asked and taught. */
export interface Workload {
  title: string
  /** The function that is asked. */
  name: string
  /** The one that is trained: the same, or one beside it. */
  trained: string
  functions: string
  items: LoadItem[]
  samples: LoadItem[]
  /** What a request costs without a server: the same decoding, the same model. */
  bare: { model: string; input: ImageInput; labels: string[] }
}

export type MakeWorkload = (scratch: string) => Promise<Workload>

/** The functions that ship, with a retraining that does not end by itself. */
export async function shippedWorkload(scratch: string): Promise<Workload> {
  const functions = join(scratch, 'functions')
  const name = 'text-orientation'
  await cp(join(packageRoot, 'functions', name), join(functions, name), { recursive: true })
  await writeFile(join(functions, name, 'retrain.ts'), retrainSource('orientation'))
  const set = await makeSet({ count: 120, seed: 11, text: 'train' })
  const items = set.map(({ image, label }) => ({ body: image, label, contentType: 'image/jpeg' }))
  const [, file = ''] = /^npm:(.*)$/.exec(orientation.models?.orientation?.path ?? '') ?? []
  const bare = {
    model: join(packageRoot, 'node_modules', file),
    input: imageInputSchema.parse(orientation.input),
    labels: ['upright', 'upside-down'],
  }
  return { title: 'text-orientation', name, trained: name, functions, items, samples: items, bare }
}

/** A network with seeded random weights at 224, asked about one-megapixel photographs, beside MobileNetV3-Small's training. */
export function networkWorkload(network: string): MakeWorkload {
  return async scratch => {
    const functions = join(scratch, 'functions')
    const labels = Array.from({ length: 1000 }, (_, label) => `class-${label}`)
    const write = async (name: string, model: string, retrain: boolean) => {
      const folder = join(functions, name)
      await mkdir(folder, { recursive: true })
      const { bytes } = networkSubject(model, 224, { batchSize: 8, threads: 1 })
      await writeFile(join(folder, 'model.onnx'), bytes)
      await writeFile(join(folder, 'labels.json'), JSON.stringify(labels))
      await writeFile(join(folder, 'function.ts'), functionSource)
      if (retrain) await writeFile(join(folder, 'retrain.ts'), retrainSource('net'))
    }
    await write('served', network, network === 'mobilenet_v3_small')
    if (network !== 'mobilenet_v3_small') await write('trained', 'mobilenet_v3_small', true)
    const items = await photographs(64, labels)
    const title = `${network} 224, 1 megapixel`
    const trained = network === 'mobilenet_v3_small' ? 'served' : 'trained'
    const bare = {
      model: join(functions, 'served', 'model.onnx'),
      input: imageInputSchema.parse(pixels),
      labels,
    }
    return { title, name: 'served', trained, functions, items, samples: items, bare }
  }
}

/** Of the paper's networks: those of ImageNet. */
const pixels = image({ width: 224, height: 224, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] })

const functionSource = `import { defineFunction, image } from 'corun'
export default defineFunction({
  models: { net: { path: 'model.onnx', labels: 'labels.json' } },
  input: image(${JSON.stringify({ width: 224, height: 224, mean: pixels.mean, std: pixels.std })}),
  timeoutMs: 60_000,
  async handler(pixels, { models: { net } }) {
    const { [net.outputNames[0]!]: scores } = await net.run({ [net.inputNames[0]!]: pixels })
    return net.top1(scores)
  },
})
`

/** It does not end by itself. Small batches, so that a few seconds hold some steps even under saturation. */
const retrainSource = (model: string) => `import { defineRetraining, sgd } from 'corun'
export default defineRetraining({ model: '${model}', optimizer: sgd({ learningRate: 1e-6 }), epochs: 10_000, patience: 0, batchSize: 8 })
`

/** Waves of colour with noise: they compress about as photographs do. */
async function photographs(count: number, labels: readonly string[]): Promise<LoadItem[]> {
  const [width, height] = [1152, 864]
  const items: LoadItem[] = []
  for (let index = 0; index < count; index += 1) {
    const random = randomFrom(index, 'photograph')
    const [a, b, c] = [random.between(1, 9), random.between(1, 9), random.between(0, 6)]
    const pixels = Buffer.alloc(width * height * 3)
    for (let at = 0; at < pixels.length; at += 1) {
      const [x, y] = [((at / 3) % width) / width, at / 3 / width / height]
      pixels[at] = 128 + 90 * Math.sin(a * x + b * y * 3 + c + (at % 3)) + random.between(-12, 12)
    }
    const body = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .jpeg({ quality: 85 })
      .toBuffer()
    items.push({ body, contentType: 'image/jpeg', label: labels[index % labels.length] ?? '' })
  }
  return items
}
