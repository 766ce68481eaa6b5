/** The oracle is the engine, which runs functions by itself. */
import * as ort from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  createNode,
  float,
  floatTensor,
  type Graph,
  inspectModel,
  int,
  type Node,
  parametersOf,
  readGraph,
  replaceWeights,
  writeGraph,
} from '../../runtime/onnx/index.ts'
import { readModel } from '../../runtime/onnx/model.ts'
import { addFunctions, branch, call, given, type LocalFunction } from './functions.ts'

const test = suite('onnx/inline-functions')

function graphOf(nodes: Node[], outputs = ['y']): Graph {
  return {
    name: 'main',
    inputs: [{ name: 'x', type: 'float32', dims: ['N', 3] }],
    outputs: outputs.map(name => ({ name, type: 'float32', dims: undefined })),
    nodes,
    initializers: new Map([
      ['layer.weight', floatTensor([3, 3], [1, 2, -1, 0.5, 0, 1, -2, 1, 0.25])],
      ['layer.bias', floatTensor([3], [0.5, -0.5, 0.125])],
    ]),
    valueInfo: new Map(),
    opsets: new Map([['', 18]]),
    irVersion: 9,
  }
}

const leaky: LocalFunction = {
  name: 'leaky',
  inputs: ['x'],
  outputs: ['y'],
  attributes: { slope: 'float', scale: 'float' },
  defaults: { scale: float(0.5) },
  nodes: [
    createNode('LeakyRelu', ['x'], ['rectified'], { alpha: given('slope') }),
    createNode('Constant', [], ['factor'], { value_float: given('scale') }),
    createNode('Mul', ['rectified', 'factor'], ['y']),
  ],
}

const linear: LocalFunction = {
  name: 'linear',
  inputs: ['x', 'weight', 'bias'],
  outputs: ['y', 'product', 'same'],
  attributes: { slope: 'float' },
  nodes: [
    createNode('Identity', ['x'], ['same']),
    createNode('MatMul', ['x', 'weight'], ['product']),
    createNode('Gemm', ['x', 'weight', 'bias'], ['sum']),
    call('leaky', ['sum'], ['y'], { slope: given('slope') }),
  ],
}

const flagged: LocalFunction = {
  name: 'flagged',
  inputs: ['x'],
  outputs: ['y'],
  nodes: [
    createNode('ReduceSum', ['x'], ['sum'], { keepdims: int(0) }),
    createNode('Constant', [], ['zero'], { value_float: float(0) }),
    createNode('Greater', ['sum', 'zero'], ['positive']),
    createNode('If', ['positive'], ['y'], {
      then_branch: branch([call('leaky', ['x'], ['made'], { scale: float(3) })], 'made'),
      else_branch: branch([createNode('Sub', ['zero', 'x'], ['made'])], 'made'),
    }),
  ],
}

const cases: Record<string, { functions: LocalFunction[]; nodes: Node[]; outputs?: string[] }> = {
  'attributes given, by default and left out': {
    functions: [leaky],
    nodes: [
      call('leaky', ['x'], ['a'], { slope: float(0.25), scale: float(2) }),
      call('leaky', ['a'], ['b']),
      call('leaky', ['b'], ['y'], { slope: float(0.75) }),
    ],
  },
  'functions that call functions, optional inputs and outputs': {
    functions: [linear, leaky],
    nodes: [
      call('linear', ['x', 'layer.weight', 'layer.bias'], ['a', '', ''], { slope: float(0.1) }),
      call('linear', ['a', 'layer.weight'], ['b', 'product', 'same']),
      createNode('Sum', ['b', 'product', 'same'], ['y']),
    ],
    outputs: ['y', 'same'],
  },
  'bodies of If that use values of the function': {
    functions: [leaky, flagged],
    nodes: [
      call('flagged', ['x'], ['a']),
      createNode('Neg', ['a'], ['made']), // a name that the branches have too
      call('flagged', ['made'], ['y']),
    ],
  },
}

async function run(bytes: Uint8Array): Promise<Record<string, unknown>> {
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 })
  const x = new ort.Tensor('float32', Float32Array.of(1, -2, 3, -0.5, 0.25, -4), [2, 3])
  const made = await session.run({ x })
  await session.release()
  return Object.fromEntries(Object.entries(made).map(([name, { dims, data }]) => [name, { dims, data }]))
}

for (const [name, { functions, nodes, outputs }] of Object.entries(cases)) {
  test(`${name}: the inlined model computes the same`, async () => {
    const bytes = addFunctions(writeGraph(graphOf(nodes, outputs)), functions)
    const graph = readGraph(bytes)
    assert.ok(graph.nodes.every(({ domain }) => domain === ''))
    assert.equal(await run(writeGraph(graph)), await run(bytes))
    assert.equal(readGraph(bytes), graph) // names too
  })
}

test('an output of a function may be its input, which the engine itself does not take', async () => {
  const nodes = [call('pass', ['x'], ['a', 'b']), createNode('Add', ['a', 'b'], ['y'])]
  const pass: LocalFunction = {
    name: 'pass',
    inputs: ['x'],
    outputs: ['x', 'y'],
    nodes: [createNode('Neg', ['x'], ['y'])],
  }
  const graph = readGraph(addFunctions(writeGraph(graphOf(nodes, ['a', 'y'])), [pass]))
  const made = await run(writeGraph(graph))
  assert.equal(made.a, { dims: [2, 3], data: Float32Array.of(1, -2, 3, -0.5, 0.25, -4) })
  assert.equal(made.y, { dims: [2, 3], data: new Float32Array(6) })
})

test('nodes of a body are named below their call', () => {
  const { functions, nodes } = cases['functions that call functions, optional inputs and outputs'] ?? {}
  const graph = readGraph(addFunctions(writeGraph(graphOf(nodes ?? [])), functions ?? []))
  const names = graph.nodes.map(node => node.name)
  assert.ok(names.includes('a/y/rectified'), names.join())
  assert.is(new Set(names).size, names.length, names.join())
})

test('a function that calls itself is refused', () => {
  const calling = (name: string, other: string): LocalFunction => ({
    name,
    inputs: ['x'],
    outputs: ['y'],
    nodes: [call(other, ['x'], ['y'])],
  })
  const model = writeGraph(graphOf([call('one', ['x'], ['y'])]))
  const bytes = addFunctions(model, [calling('one', 'two'), calling('two', 'one')])
  assert.throws(() => readGraph(bytes), /"local\.one" calls itself: local\.one > local\.two > local\.one/)
})

test('an output is what the last node inside the function makes of it', () => {
  const softened: LocalFunction = {
    name: 'softened',
    inputs: ['x'],
    outputs: ['y'],
    nodes: [createNode('Softmax', ['x'], ['y'])],
  }
  const bytes = addFunctions(writeGraph(graphOf([call('softened', ['x'], ['y'])])), [softened])
  assert.is(inspectModel(bytes).outputs[0]?.activation, 'softmax')
})

test('weights outside of functions are replaced without touching the functions', async () => {
  const { functions = [], nodes = [] } =
    cases['functions that call functions, optional inputs and outputs'] ?? {}
  const bytes = addFunctions(writeGraph(graphOf(nodes)), functions)
  assert.equal(
    parametersOf(readGraph(bytes)).map(({ name }) => name),
    ['layer.weight', 'layer.bias'],
  )
  const replaced = replaceWeights(bytes, new Map([['layer.bias', Float32Array.of(4, 5, 6)]]))
  assert.equal(readModel(replaced).functions, readModel(bytes).functions)
  assert.not.equal(await run(replaced), await run(bytes))
})

test('weights in the body of a function are replaced for one call alone', async () => {
  const shifted: LocalFunction = {
    name: 'shifted',
    inputs: ['x'],
    outputs: ['y'],
    nodes: [
      createNode('Constant', [], ['shift'], {
        value: { type: 'tensor', value: floatTensor([3], [1, 2, 3]) },
      }),
      createNode('Add', ['x', 'shift'], ['y']),
    ],
  }
  const nodes = [call('shifted', ['x'], ['a']), call('shifted', ['a'], ['y'])]
  const bytes = addFunctions(writeGraph(graphOf(nodes)), [shifted])
  const names = parametersOf(readGraph(bytes)).map(({ name }) => name)
  assert.equal(names, ['a/shift', 'y/shift'])
  const replaced = replaceWeights(bytes, new Map([['y/shift', Float32Array.of(10, 20, 30)]]))
  const x = [1, -2, 3, -0.5, 0.25, -4]
  const expected = Float32Array.from(x, (value, index) => value + 11 * ((index % 3) + 1))
  assert.equal((await run(replaced)).y, { dims: [2, 3], data: expected })
})

test.run()
