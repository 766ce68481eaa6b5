/** A small classifier to begin with: convolution, mean over the picture, one layer. It tells dark pictures from bright ones. */
import { createNode, floatTensor, ints, writeGraph } from '../onnx/index.ts'

const features = 8
const kernel = 3
const colours = 3

/**
 * ONNX bytes. pixels, float32 [N, 3, side, side] from 0 to 1 -> Conv 3x3, stride 2 -> Relu -> GlobalAveragePool -> Gemm ->
 * logits, float32 [N, 2]. The first feature is brightness and decides; the others wait for a retraining.
 */
export function starterModel(side: number): Uint8Array {
  const taps = colours * kernel * kernel
  const filters = Array.from({ length: features * taps }, (_, at) =>
    at < taps ? 1 / taps : Math.sin(at * 12.9898) / Math.sqrt(taps),
  )
  // Half way between black and white both scores are 0.
  const weights = Array.from({ length: features * 2 }, (_, at) => (at < 2 ? (at === 0 ? -10 : 10) : 0))
  return writeGraph({
    name: 'starter',
    inputs: [{ name: 'pixels', type: 'float32', dims: ['N', colours, side, side] }],
    outputs: [{ name: 'logits', type: 'float32', dims: ['N', 2] }],
    nodes: [
      createNode('Conv', ['pixels', 'conv.weight'], ['conv'], {
        pads: ints([1, 1, 1, 1]),
        strides: ints([2, 2]),
      }),
      createNode('Relu', ['conv'], ['relu']),
      createNode('GlobalAveragePool', ['relu'], ['mean']),
      createNode('Flatten', ['mean'], ['features']),
      createNode('Gemm', ['features', 'head.weight', 'head.bias'], ['logits']),
    ],
    initializers: new Map([
      ['conv.weight', floatTensor([features, colours, kernel, kernel], filters)],
      ['head.weight', floatTensor([features, 2], weights)],
      ['head.bias', floatTensor([2], [5, -5])],
    ]),
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  })
}
