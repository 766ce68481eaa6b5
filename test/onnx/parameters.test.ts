import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  createNode,
  floatTensor,
  type Graph,
  int64Tensor,
  type Node,
  parametersOf,
} from '../../runtime/onnx/index.ts'

const test = suite('onnx/parameters')

function graphOf(nodes: Node[]): Graph {
  return {
    name: 'g',
    inputs: [{ name: 'x', type: 'float32', dims: ['N', 2] }],
    outputs: [{ name: 'y', type: 'float32', dims: undefined }],
    nodes,
    initializers: new Map([
      ['w', floatTensor([2, 2], [1, 2, 3, 4])],
      ['b', floatTensor([2], [1, 2])],
      ['one', floatTensor([], [1])],
      ['shape', int64Tensor([2, 2])],
    ]),
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  }
}

const cases: [string, Node[], [string, string][]][] = [
  [
    'the weight and bias of a dense layer',
    [createNode('Gemm', ['x', 'w', 'b'], ['y'])],
    [
      ['w', 'weight'],
      ['b', 'bias'],
    ],
  ],
  [
    'scale and bias of a normalization, but not its statistics',
    [createNode('BatchNormalization', ['x', 'w', 'b', 'one', 'one'], ['y'])],
    [
      ['w', 'scale'],
      ['b', 'bias'],
    ],
  ],
  ['a bias that is added', [createNode('Add', ['x', 'b'], ['y'])], [['b', 'bias']]],
  ['no single number of a formula', [createNode('Mul', ['x', 'one'], ['y'])], []],
  [
    'a weight that is transposed on its way',
    [createNode('Transpose', ['w'], ['t']), createNode('MatMul', ['x', 't'], ['y'])],
    [['w', 'weight']],
  ],
  ['a weight of an Einsum', [createNode('Einsum', ['x', 'w'], ['y'])], [['w', 'weight']]],
  [
    'a class token that is repeated and laid beside the data',
    [createNode('Expand', ['b', 'shape'], ['e']), createNode('Concat', ['e', 'x'], ['y'])],
    [['b', 'bias']],
  ],
  ['no shapes', [createNode('Reshape', ['x', 'shape'], ['y'])], []],
]

for (const [name, nodes, expected] of cases) {
  test(`parameters are ${name}`, () =>
    assert.equal(
      parametersOf(graphOf(nodes)).map(parameter => [parameter.name, parameter.role]),
      expected,
    ))
}

test.run()
