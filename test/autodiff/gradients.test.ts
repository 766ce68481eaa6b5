import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { buildTrainingStep, prepareForTraining } from '../../runtime/autodiff/index.ts'
import { rules } from '../../runtime/autodiff/rules/index.ts'
import { createNode, floatTensor, type Graph, int, type Node } from '../../runtime/onnx/index.ts'
import { shaped } from './engine.ts'
import { type Case, checkGradients } from './gradient-checker.ts'

const test = suite('autodiff/gradients')

const dense = [2, 3].flatMap(rows => Array.from({ length: 3 }, (_, column) => rows + column / 4)).slice(0, 6)

/** x [2, 2] -> MatMul w [2, 3] -> the nodes, from h to y. */
function classifierOf(nodes: Node[], initializers: [string, number[]][] = []): Graph {
  return {
    name: 'small',
    inputs: [{ name: 'x', type: 'float32', dims: ['N', 2] }],
    outputs: [{ name: 'y', type: 'float32', dims: ['N', 3] }],
    nodes: [createNode('MatMul', ['x', 'w'], ['h']), ...nodes],
    initializers: new Map([
      ['w', floatTensor([2, 3], dense)],
      ...initializers.map(([name, values]) => [name, floatTensor([values.length], values)] as const),
    ]),
    valueInfo: new Map(),
    opsets: new Map([['', 18]]),
    irVersion: 8,
  }
}

async function build(graph: Graph, trainable: (name: string) => boolean = () => true) {
  const prepared = prepareForTraining(graph, { inputShape: [2, 2], trainable })
  return buildTrainingStep(
    { ...prepared, graph: await shaped(prepared.graph) },
    { optimizer: { kind: 'sgd' } },
  )
}

async function refusal(graph: Graph, trainable?: (name: string) => boolean): Promise<string> {
  try {
    await build(graph, trainable)
  } catch (error) {
    assert.is((error as { code?: string }).code, 'not-trainable') // whatever was thrown
    return (error as Error).message
  }
  return 'nothing was refused'
}

/** Elementwise, and without a rule: a remainder jumps where its gradient would matter. */
const remainder = (input: string, output: string) =>
  createNode('Mod', [input, 'modulus'], [output], { fmod: int(1) })
const modulus: [string, number[]] = ['modulus', [5, 5, 5]]

test('operators without a rule are refused before training, by operator and all nodes', async () => {
  const nodes = [remainder('h', 'm'), createNode('QuickGelu', ['m'], ['c']), remainder('c', 'y')].map(node =>
    node.opType === 'QuickGelu' ? { ...node, domain: 'com.microsoft' } : node,
  )
  const graph = classifierOf(nodes, [modulus])
  graph.opsets.set('com.microsoft', 1)
  const message = await refusal(graph)
  assert.match(message, /Mod \(m, y\); com\.microsoft\.QuickGelu \(c\)/)
})

test('a refusal says how many blocks would train, down to none', async () => {
  const nodes = [
    createNode('Mul', ['h', 'first.scale'], ['a']),
    remainder('a', 'b'),
    createNode('MatMul', ['b', 'second.weight'], ['c']),
    createNode('MatMul', ['c', 'head.weight'], ['y']),
  ]
  const square = [1, 0, 0, 0, 1, 0, 0, 0, 1]
  const graph = classifierOf(nodes, [modulus, ['first.scale', [1, 2, 3]]])
  for (const name of ['second.weight', 'head.weight'])
    graph.initializers.set(name, floatTensor([3, 3], square))
  assert.match(await refusal(graph), /Mod \(b\): train no more than \{ lastBlocks: 1 \}/)
  await build(graph, name => name.startsWith('second') || name.startsWith('head'))
  const last = classifierOf([remainder('h', 'y')], [modulus])
  assert.match(await refusal(last), /Mod \(y\): every choice of last blocks needs them/)
})

test('an operator without a rule before every trained layer does not matter', async () => {
  const nodes = [remainder('h', 'm'), createNode('Add', ['m', 'b'], ['y'])]
  const step = await build(classifierOf(nodes, [modulus, ['b', [1, 2, 3]]]), name => name === 'b')
  assert.equal(
    step.parameters.map(({ name }) => name),
    ['b'],
  )
})

test('a parameter that works only through an operator without derivative is refused', async () => {
  assert.match(await refusal(classifierOf([createNode('Floor', ['h'], ['y'])])), /no gradient/)
  const nodes = [createNode('Floor', ['h'], ['f']), createNode('Add', ['f', 'b'], ['y'])]
  assert.match(await refusal(classifierOf(nodes, [['b', [1, 2, 3]]])), /no gradient reaches w/)
})

test('choosing nothing to train, or a sigmoid to train on, is refused', async () => {
  assert.match(
    await refusal(classifierOf([createNode('Identity', ['h'], ['y'])]), () => false),
    /no parameter/,
  )
  assert.match(await refusal(classifierOf([createNode('Sigmoid', ['h'], ['y'])])), /sigmoid/)
})

test('an operator without derivative stops its own branch only', () =>
  checkGradients('branches', {
    inputs: [{ dims: [2, 3], low: 0.1, high: 0.9 }],
    nodes: [
      createNode('Floor', ['x0'], ['f']),
      createNode('Exp', ['x0'], ['e']),
      createNode('Add', ['f', 'e'], ['y']),
    ],
  }))

test('the checker notices a wrong rule', async () => {
  const wrong: Case = { inputs: [{ dims: [2, 3], apart: true }], nodes: [createNode('Tanh', ['x0'], ['y'])] }
  const table = rules as Record<string, unknown> // swapped for this test only
  const right = table.Tanh
  table.Tanh = rules.Sigmoid
  let noticed = false
  try {
    await checkGradients('wrong', wrong)
  } catch {
    noticed = true
  } finally {
    table.Tanh = right
  }
  assert.ok(noticed)
})

test('what image models, transformers and detectors are made of has a rule', () => {
  const operators = `Conv ConvTranspose Gemm MatMul BatchNormalization LayerNormalization GroupNormalization
    InstanceNormalization Relu LeakyRelu Clip HardSigmoid HardSwish Sigmoid Tanh Gelu Erf Softmax LogSoftmax Elu Selu
    Softplus Mish MaxPool AveragePool GlobalAveragePool GlobalMaxPool Add Sub Mul Div Pow Sqrt Exp Log Neg Abs Min Max
    Where ReduceMean ReduceSum ReduceMax ReduceL2 Concat Split Slice Gather Reshape Flatten Squeeze Unsqueeze
    Transpose Expand Tile Pad Resize Dropout Identity Cast Einsum`
  for (const operator of operators.split(/\s+/)) assert.type(rules[operator], 'function', operator)
})

test('each entry of the table is either a rule or says why there is none', () => {
  for (const [operator, entry] of Object.entries(rules)) {
    assert.ok(typeof entry === 'function' || entry.notDifferentiable.length > 10, operator)
  }
})

test.run()
