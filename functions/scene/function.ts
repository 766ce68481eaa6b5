// Tells whether a camera looks at an indoor or an outdoor scene, with the features of a pretrained MobileNetV2 and a last layer of its own.
import { defineFunction, image } from 'corun'
import { z } from 'zod'

export default defineFunction({
  description: 'Tells whether a photo was taken indoors or outdoors',
  models: {
    scene: {
      path: 'npm:nsfwjs/dist/models/mobilenet_v2/model.min.js',
      // The mean of the last convolution over the picture: 1,280 features, before the layers that say what nsfwjs is for.
      outputs: ['flatten_1'],
      head: 'head.onnx',
      labels: ['indoors', 'outdoors'],
    },
  },
  // The whole of a camera's frame, squeezed into the square that the network takes.
  input: image({ width: 224, height: 224, fit: 'fill' }),
  output: z.object({ label: z.string(), score: z.number() }),
  async handler(pixels, { models: { scene } }) {
    const [input = ''] = scene.inputNames
    const [output = ''] = scene.outputNames
    const outputs = await scene.run({ [input]: pixels })
    return scene.top1(outputs[output])
  },
})
