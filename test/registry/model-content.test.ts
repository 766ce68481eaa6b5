import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { CorunError } from '../../runtime/core/errors.ts'
import { createNode, floatTensor, type Graph, readGraph, writeGraph } from '../../runtime/onnx/index.ts'
import { modelContent } from '../../runtime/registry/model-content.ts'
import { wave } from '../../scripts/oracle/wave.ts'
import { answersOf, readFixture } from '../importing/fixture.ts'

const test = suite<{ folder: string; model: string; head: string }>('registry/model-content')

/** Doubles the four numbers that the layer gap gives. */
const doubled: Graph = {
  name: 'head',
  inputs: [{ name: 'features', type: 'float32', dims: ['n', 4] }],
  outputs: [{ name: 'twice', type: 'float32', dims: ['n', 4] }],
  nodes: [createNode('Mul', ['features', 'two'], ['twice'])],
  initializers: new Map([['two', floatTensor([1], [2])]]),
  valueInfo: new Map(),
  opsets: new Map([['', 17]]),
  irVersion: 8,
}

test.before.each(async context => {
  context.folder = await mkdtemp(join(tmpdir(), 'corun-content-'))
  context.model = join(context.folder, 'model.json')
  context.head = join(context.folder, 'head.onnx')
  const { json, weights } = await readFixture('nested')
  await writeFile(context.model, JSON.stringify(json))
  await writeFile(join(context.folder, 'weights.bin'), Buffer.from(weights, 'base64'))
  await writeFile(context.head, writeGraph(doubled))
})
test.after.each(({ folder }) => rm(folder, { recursive: true, force: true }))

const kept = (folder: string) => ({ folder: join(folder, 'imports'), onFile: () => {} })

test('a TensorFlow.js model ends where it is asked to, and the head goes on from there', async ({
  folder,
  model,
  head,
}) => {
  const shape = [2, 8, 8, 3]
  const outputs = ['gap']
  const plain = await modelContent('f.plain', { file: model, outputs }, kept(folder))
  const headed = await modelContent('f.net', { file: model, outputs, head }, kept(folder))
  const [features] = (await answersOf(await readFile(String(plain)), shape, wave(shape, 0))).values()
  const answers = await answersOf(await readFile(String(headed)), shape, wave(shape, 0))
  assert.ok(features?.data.some(value => value > 0))
  assert.equal(
    answers.get('twice')?.data,
    features?.data.map(value => Math.fround(2 * value)),
  )
})

test('what was made is made once, and made anew when the head changes', async ({ folder, model, head }) => {
  const recipe = { file: model, outputs: ['gap'], head }
  const first = String(await modelContent('f.net', recipe, kept(folder)))
  const { mtimeMs } = await stat(first)
  const neighbour = String(await modelContent('f.net-two', recipe, kept(folder)))
  assert.is(await modelContent('f.net', recipe, kept(folder)), first)
  assert.is((await stat(first)).mtimeMs, mtimeMs)
  await writeFile(head, writeGraph({ ...doubled, initializers: new Map([['two', floatTensor([1], [3])]]) }))
  const second = String(await modelContent('f.net', recipe, kept(folder)))
  assert.equal(
    (await readdir(join(folder, 'imports'))).map(name => join(folder, 'imports', name)).sort(),
    [second, neighbour].sort(),
  )
})

test('a head may follow an ONNX model, whose outputs are not to be chosen', async ({ folder, head }) => {
  const recipe = { file: head, head }
  const joined = readGraph(await readFile(String(await modelContent('f.net', recipe, kept(folder)))))
  assert.is(joined.nodes.filter(({ opType }) => opType === 'Mul').length, 2)
  const refused = await modelContent('f.net', { file: head, outputs: ['twice'] }, kept(folder)).catch(
    error => error,
  )
  assert.is((refused as CorunError).code, 'invalid-definition')
})

test('files that a model is made from are told, so that a change of one is noticed', async ({
  folder,
  model,
}) => {
  const told: string[] = []
  await modelContent(
    'f.net',
    { file: model },
    { folder: join(folder, 'imports'), onFile: path => told.push(path) },
  )
  assert.equal(told, [join(folder, 'weights.bin')])
})

test.run()
