import { Tensor } from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createModelBatcher } from '../../runtime/worker/model-batcher.ts'
import { takesRows } from '../../runtime/worker/row-check.ts'
import { formOf, joinRows, rowsOf, takeRows } from '../../runtime/worker/tensor-rows.ts'

const test = suite('worker/model-batcher')

type Feeds = Record<string, Tensor>
const row = (...values: number[]): Feeds => ({
  x: new Tensor('float32', Float32Array.from(values), [1, values.length]),
})
const numbers = (tensor: Tensor | undefined) => Array.from(tensor?.data ?? [], Number)

/** Doubles each number; remembers how many rows each run had. */
function doubling({ fails = (_: Feeds): Error | undefined => undefined } = {}) {
  const runs: number[] = []
  const run = async (feeds: Feeds) => {
    const { x } = feeds
    runs.push(x?.dims[0] ?? 0)
    const error = fails(feeds)
    if (error) throw error
    return {
      y: new Tensor(
        'float32',
        Float32Array.from(numbers(x), value => value * 2),
        x?.dims ?? [],
      ),
    }
  }
  return { run, runs }
}

async function together(run: ReturnType<typeof doubling>['run'], feeds: readonly Feeds[]) {
  const batcher = createModelBatcher()
  const gathered = batcher.gather(run)
  const begin = feeds.map(() => batcher.reading())
  const answers = feeds.map(async (each, at) => {
    begin[at]?.()
    return numbers((await gathered(each)).y as Tensor)
  })
  return { batcher, answers: await Promise.allSettled(answers) }
}
const values = (answers: PromiseSettledResult<number[]>[]) =>
  answers.map(answer => (answer.status === 'fulfilled' ? answer.value : String(answer.reason)))

test('calls side by side are one run, and each gets its own rows', async () => {
  const { run, runs } = doubling()
  const two = { x: new Tensor('float32', Float32Array.of(5, 6, 7, 8), [2, 2]) }
  const { answers } = await together(run, [row(1, 2), two, row(9, 0)])
  assert.equal(values(answers), [
    [2, 4],
    [10, 12, 14, 16],
    [18, 0],
  ])
  assert.equal(runs, [4])
})

test('calls of different forms run apart', async () => {
  const { run, runs } = doubling()
  const { answers } = await together(run, [row(1, 2), row(1, 2, 3), row(3, 4)])
  assert.equal(values(answers), [
    [2, 4],
    [2, 4, 6],
    [6, 8],
  ])
  assert.equal(runs, [2, 1])
})

test('when a run of several fails each runs alone, and one that fails fails alone', async () => {
  const { run, runs } = doubling({
    fails: ({ x }) => (numbers(x).includes(-1) ? new Error('negative') : undefined),
  })
  const { answers, batcher } = await together(run, [row(1), row(-1), row(3)])
  assert.equal(values(answers), [[2], 'Error: negative', [6]])
  assert.equal(runs, [3, 1, 1, 1])
  assert.not.ok(batcher.outOfMemory())
})

test('a batch that memory does not hold is told', async () => {
  const { run } = doubling({
    fails: ({ x }) => ((x?.dims[0] ?? 0) > 1 ? new Error('std::bad_alloc') : undefined),
  })
  const { answers, batcher } = await together(run, [row(1), row(2)])
  assert.equal(values(answers), [[2], [4]])
  assert.ok(batcher.outOfMemory())
})

test('a model whose output has no row a call runs alone', async () => {
  const run = async ({ x }: Feeds) => ({
    y: new Tensor('float32', Float32Array.of(numbers(x).reduce((sum, value) => sum + value, 0)), [1]),
  })
  const { answers } = await together(run, [row(1, 2), row(3, 4)])
  assert.equal(values(answers), [[3], [7]])
})

test('a handler that calls twice is gathered twice', async () => {
  const { run, runs } = doubling()
  const batcher = createModelBatcher()
  const gathered = batcher.gather(run)
  const begin = [batcher.reading(), batcher.reading()]
  const answers = await Promise.all(
    begin.map(async (start, at) => {
      start()
      const first = (await gathered(row(at))).y as Tensor
      return numbers((await gathered({ x: first })).y as Tensor)
    }),
  )
  assert.equal(answers, [[0], [4]])
  assert.equal(runs, [2, 2])
})

test('rows: what has none, and what differs in more than rows', () => {
  assert.is(rowsOf(row(1, 2)), 1)
  assert.is(rowsOf({}), undefined)
  assert.is(rowsOf({ s: new Tensor('float32', Float32Array.of(1), []) }), undefined)
  assert.is(rowsOf({ t: new Tensor('string', ['a'], [1]) }), undefined)
  assert.is(formOf(row(1, 2)), formOf(row(3, 4)))
  assert.is.not(formOf(row(1, 2)), formOf(row(3)))
  assert.is.not(formOf(row(1)), formOf({ x: new Tensor('int64', BigInt64Array.of(1n), [1, 1]) }))
  const joined = joinRows([row(1, 2), row(3, 4)])
  assert.equal(numbers(takeRows(joined, 2, [1, 2])?.x), [3, 4])
  assert.is(takeRows(joined, 3, [0, 1]), undefined)
})

const free = { inputs: [{ name: 'x', type: 'float32', dims: [null, 2] }] }

test('a model takes rows when two together answer as they do alone', async () => {
  assert.ok(await takesRows(free, doubling().run, row(0, 0)))
  const mixing = async ({ x }: Feeds) => {
    const all = numbers(x)
    const mean = all.reduce((sum, value) => sum + value, 0) / all.length
    return {
      y: new Tensor(
        'float32',
        Float32Array.from(all, value => value - mean),
        x?.dims ?? [],
      ),
    }
  }
  assert.not.ok(await takesRows(free, mixing, row(0, 0)), 'rows that depend on each other')
  const fixed = { inputs: [{ name: 'x', type: 'float32', dims: [1, 2] }] }
  assert.not.ok(await takesRows(fixed, doubling().run, row(0, 0)), 'a fixed first dimension')
  const refusing = doubling({ fails: ({ x }) => ((x?.dims[0] ?? 0) > 1 ? new Error('no') : undefined) })
  assert.not.ok(await takesRows(free, refusing.run, row(0, 0)), 'a run that fails')
})

test.run()
