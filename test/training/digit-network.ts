/** A small convolutional network for the digits of scripts/pictures, with random weights. */
import {
  createNode,
  floatTensor,
  type Graph,
  ints,
  type Node,
  type Tensor,
  writeGraph,
} from '../../runtime/onnx/index.ts'
import { digitSize } from '../../scripts/pictures/draw-digit.ts'
import { type Random, randomFrom } from '../../scripts/pictures/random.ts'

export const DIGIT_DIMS = [1, digitSize, digitSize]
export const DIGIT_CLASSES = 10

const channels = [1, 16, 32, 64]
const lastMap = Math.floor(digitSize / 8)

/**
 * ONNX bytes. images [N, 1, 20, 20] -> three times Conv 3x3, BatchNormalization, Relu, MaxPool 2x2 -> Gemm -> logits [N, 10].
 * Weights are He's: normal with variance 2 / fan-in (He et al. 2015, "Delving Deep into Rectifiers").
 */
export function digitNetwork(seed: number): Uint8Array {
  const random = randomFrom(seed, 'weights')
  const initializers = new Map<string, Tensor>()
  const nodes: Node[] = []
  let value = 'images'
  for (const [index, outputs] of channels.slice(1).entries()) {
    const inputs = channels[index] ?? 1
    const [conv, bn] = [`conv${index}`, `bn${index}`]
    initializers.set(`${conv}.weight`, heNormal([outputs, inputs, 3, 3], inputs * 9, random))
    for (const [part, start] of Object.entries({ weight: 1, bias: 0, mean: 0, var: 1 })) {
      initializers.set(`${bn}.${part}`, floatTensor([outputs], new Array(outputs).fill(start)))
    }
    const learned = ['weight', 'bias', 'mean', 'var'].map(part => `${bn}.${part}`)
    nodes.push(
      createNode('Conv', [value, `${conv}.weight`], [conv], { pads: ints([1, 1, 1, 1]) }),
      createNode('BatchNormalization', [conv, ...learned], [bn]),
      createNode('Relu', [bn], [`relu${index}`]),
      createNode('MaxPool', [`relu${index}`], [`pool${index}`], {
        kernel_shape: ints([2, 2]),
        strides: ints([2, 2]),
      }),
    )
    value = `pool${index}`
  }
  const features = (channels.at(-1) ?? 1) * lastMap ** 2
  initializers.set('fc.weight', heNormal([features, DIGIT_CLASSES], features, random))
  initializers.set('fc.bias', floatTensor([DIGIT_CLASSES], new Array(DIGIT_CLASSES).fill(0)))
  nodes.push(
    createNode('Flatten', [value], ['features']),
    createNode('Gemm', ['features', 'fc.weight', 'fc.bias'], ['logits']),
  )
  return writeGraph(asGraph(nodes, initializers))
}

function asGraph(nodes: Node[], initializers: Graph['initializers']): Graph {
  return {
    name: 'digits',
    inputs: [{ name: 'images', type: 'float32', dims: ['N', ...DIGIT_DIMS] }],
    outputs: [{ name: 'logits', type: 'float32', dims: ['N', DIGIT_CLASSES] }],
    nodes,
    initializers,
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  }
}

function heNormal(dims: number[], fanIn: number, random: Random): Tensor {
  const deviation = Math.sqrt(2 / fanIn)
  const size = dims.reduce((product, dim) => product * dim, 1)
  return floatTensor(
    dims,
    Array.from({ length: size }, () => random.normal() * deviation),
  )
}
