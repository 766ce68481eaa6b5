import { InferenceSession, Tensor } from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createNode, floatTensor, type Graph, joinGraphs, writeGraph } from '../../runtime/onnx/index.ts'

const test = suite('onnx/join')

/** y = x * factor over two numbers; both graphs use the same names. */
const times = (factor: number, opset = 17, size = 2): Graph => ({
  name: `times ${factor}`,
  inputs: [{ name: 'x', type: 'float32', dims: ['n', size] }],
  outputs: [{ name: 'y', type: 'float32', dims: ['n', size] }],
  nodes: [createNode('Mul', ['x', 'factor'], ['hidden']), createNode('Identity', ['hidden'], ['y'])],
  initializers: new Map([['factor', floatTensor([1], [factor])]]),
  valueInfo: new Map(),
  opsets: new Map([['', opset]]),
  irVersion: 8,
})

for (const opset of [17, 13]) {
  test(`what the first gives goes into the second, of opset ${opset}`, async () => {
    const session = await InferenceSession.create(writeGraph(joinGraphs(times(3), times(5, opset))))
    assert.equal(session.inputNames, ['x'])
    const [output = ''] = session.outputNames
    const result = await session.run({ x: new Tensor('float32', [1, -2], [1, 2]) })
    assert.equal(Array.from(result[output]?.data as Float32Array), [15, -30])
    await session.release()
  })
}

test('a head for another number of features is refused with both numbers', () => {
  assert.throws(() => joinGraphs(times(3), times(5, 17, 4)), /takes 4 features.*gives 2/)
})

test('a network with two outputs has no place for a head', () => {
  const front = times(3)
  front.outputs.push({ name: 'hidden', type: 'float32', dims: ['n', 2] })
  assert.throws(() => joinGraphs(front, times(5)), /one output/)
})

test.run()
