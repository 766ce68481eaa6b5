/** Tries an execution provider with a small model in a child process: a crash of its driver is an answer too. */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { Provider } from '../core/config.ts'
import { createNode, floatTensor, type Graph, writeGraph } from '../onnx/index.ts'

const timeLimitMs = 20_000

/** y = x * 3 + 1 over four numbers: enough to need the device, and known without it. */
function testModel(): Uint8Array {
  const port = (name: string) => ({ name, type: 'float32' as const, dims: [4] })
  const graph: Graph = {
    name: 'provider-test',
    inputs: [port('x')],
    outputs: [port('y')],
    nodes: [createNode('Mul', ['x', 'three'], ['x3']), createNode('Add', ['x3', 'one'], ['y'])],
    initializers: new Map([
      ['three', floatTensor([1], [3])],
      ['one', floatTensor([1], [1])],
    ]),
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  }
  return writeGraph(graph)
}

const script = (engine: string, model: string, provider: Provider) => `
  const { InferenceSession, Tensor } = (await import(${JSON.stringify(engine)})).default
  const model = Buffer.from(${JSON.stringify(model)}, 'base64')
  const session = await InferenceSession.create(model, { executionProviders: [${JSON.stringify(provider)}] })
  const { y } = await session.run({ x: new Tensor('float32', Float32Array.of(0, 1, 2, 3), [4]) })
  const data = Array.from(await y.getData())
  if (data.join() !== '1,4,7,10') throw new Error('wrong result: ' + data.join())`

/** Resolves to what went wrong, or to undefined when the result was right. */
export function testProvider(provider: Provider): Promise<string | undefined> {
  const engine = pathToFileURL(createRequire(import.meta.url).resolve('onnxruntime-node')).href
  const code = script(engine, Buffer.from(testModel()).toString('base64'), provider)
  return new Promise(resolve => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: timeLimitMs,
      killSignal: 'SIGKILL',
    })
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.once('error', error => resolve(error.message))
    child.once('close', (exitCode, signal) => {
      const why = /Error: (.*)/.exec(errors)?.[1] ?? signal ?? `exit code ${exitCode}`
      resolve(exitCode === 0 ? undefined : `the test failed (${why})`)
    })
  })
}
