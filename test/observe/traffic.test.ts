import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { faded, halfLifeMs, openTraffic, readTraffic } from '../../runtime/observe/traffic.ts'
import { eventually } from '../eventually.ts'
import { collectingLogger } from '../pool/harness.ts'

const test = suite('observe/traffic')
const day = 24 * 3600 * 1000

const cases: [string, number, number, Record<string, number>][] = [
  ['nothing has gone by', 8, 0, { a: 8 }],
  ['a day halves', 8, day, { a: 4 }],
  ['a week leaves a hundredth', 128, 7 * day, { a: 1 }],
  ['what is left of little is forgotten', 1, 7 * day, {}],
  ['a clock that was set back adds nothing', 8, -day, { a: 8 }],
]
for (const [name, count, elapsedMs, expected] of cases) {
  test(`counts fade: ${name}`, () => {
    assert.equal(Object.fromEntries(faded(new Map([['a', count]]), elapsedMs)), expected)
  })
}

async function withFolder(work: (dataDir: string) => Promise<void>): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'corun-test-'))
  try {
    await work(dataDir)
  } finally {
    await rm(dataDir, { recursive: true })
  }
}

/** Serves `asked` requests of each function, at `now`, in one life of a server. */
async function serve(dataDir: string, now: number, asked: Record<string, number>): Promise<void> {
  const clock = { now: () => now, monotonic: () => now }
  const traffic = await openTraffic({ dataDir, clock, log: collectingLogger().log })
  for (const [name, count] of Object.entries(asked)) {
    for (let request = 0; request < count; request += 1) traffic.count(name)
  }
  await traffic.close()
}

test('counts outlive the server, add up over its lives, and fade between them', () =>
  withFolder(async dataDir => {
    await serve(dataDir, day, { a: 8, b: 4 })
    await serve(dataDir, 2 * day, { a: 1 })
    assert.equal(Object.fromEntries(await readTraffic(dataDir, 2 * day)), { a: 5, b: 2 })
    assert.equal(Object.fromEntries(await readTraffic(dataDir, 2 * day + halfLifeMs)), { a: 2.5, b: 1 })
  }))

test('where nothing was asked there is no file, and nothing is known', () =>
  withFolder(async dataDir => {
    await serve(dataDir, day, {})
    assert.is((await readTraffic(dataDir, day)).size, 0)
    await readFile(join(dataDir, 'state', 'traffic.json')).then(
      () => assert.unreachable(),
      error => assert.is(error.code, 'ENOENT'),
    )
  }))

test('counts that cannot be read are named and left alone', () =>
  withFolder(async dataDir => {
    await serve(dataDir, day, { a: 1 })
    const file = join(dataDir, 'state', 'traffic.json')
    await writeFile(file, '{"version": 9}')
    await readTraffic(dataDir, day).then(
      () => assert.unreachable(),
      error => {
        assert.is(error.code, 'state-invalid')
        assert.match(error.message, /traffic.json/)
      },
    )
    assert.is(await readFile(file, 'utf8'), '{"version": 9}')
  }))

test('counts are saved now and then without an end of the server', () =>
  withFolder(async dataDir => {
    const clock = { now: () => day, monotonic: () => 0 }
    const traffic = await openTraffic({ dataDir, clock, log: collectingLogger().log, saveMs: 1 })
    traffic.count('a')
    await eventually('it is saved', async () => (await readTraffic(dataDir, day)).has('a'))
    await traffic.close()
  }))

test.run()
