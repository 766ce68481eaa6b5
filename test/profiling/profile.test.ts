import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock } from '../../runtime/core/clock.ts'
import { openCheckpoint } from '../../runtime/profiling/checkpoint.ts'
import { latencyPercentiles } from '../../runtime/profiling/latency.ts'
import type { ProbeJob } from '../../runtime/profiling/probe-job.ts'
import {
  type Profile,
  type ProfileKey,
  profileFileName,
  profileSchema,
  staleReason,
} from '../../runtime/profiling/profile.ts'
import { profileBox } from '../../runtime/profiling/profile-box.ts'
import { profileTable } from '../../runtime/profiling/profile-table.ts'
import { findProfile, writeProfile } from '../../runtime/profiling/store.ts'

const test = suite('profiling/profile')

const key: ProfileKey = {
  device: 'Box x2 cpu',
  provider: 'cpu',
  onnxruntime: '1.30.0',
  models: { 'a.m': 'h1' },
}

test('percentiles are those of the nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
  assert.equal(latencyPercentiles(hundred), { p50: 50, p95: 95, p99: 99 })
  assert.equal(latencyPercentiles([7]), { p50: 7, p95: 7, p99: 7 })
})

const staleCases: [string, ProfileKey, RegExp | undefined][] = [
  ['fits the same box', key, undefined],
  ['fits with a model less', { ...key, models: {} }, undefined],
  ['is stale on another device', { ...key, device: 'Box x4 cpu' }, /device/],
  ['is stale on another provider', { ...key, provider: 'cuda' }, /provider/],
  ['is stale with another engine', { ...key, onnxruntime: '1.31.0' }, /onnxruntime/],
  ['is stale with a changed model', { ...key, models: { 'a.m': 'h2' } }, /"a.m" has changed/],
  ['is stale with a new model', { ...key, models: { 'a.m': 'h1', 'b.m': 'h3' } }, /"b.m" was not measured/],
]
for (const [name, present, reason] of staleCases) {
  test(`a profile ${name}`, () => {
    const found = staleReason(key, present)
    if (reason === undefined) assert.is(found, undefined)
    else assert.match(found ?? '', reason)
  })
}

test('a file name is made of the device and the workload, and stays one', () => {
  assert.is(profileFileName('AMD EPYC x2 cpu', ['ocr', 'hello']), 'amd-epyc-x2-cpu-hello-ocr.json')
  const many = Array.from({ length: 40 }, (_, index) => `function-${index}`)
  assert.ok(profileFileName('../../etc', many).length < 40)
  assert.not.match(profileFileName('../../etc', many), /\//)
})

/** A box of two cores on which training takes half of one. */
function measureAs(jobs: ProbeJob[], steps: { count: number }) {
  return async (job: ProbeJob, onMeasuring: () => void) => {
    jobs.push(job)
    onMeasuring()
    steps.count += 4
    const p95 = 10 * Math.max(1, job.threads / 2)
    return {
      requests: Math.min(2, job.threads) * 100,
      failed: 0,
      elapsedMs: 1000,
      measuredMs: 1000,
      stable: true,
      latencyMs: { p50: p95, p95, p99: p95 },
      peakMemoryBytes: job.threads * 2 ** 20,
    }
  }
}

function profileFake(jobs: ProbeJob[] = [], onStop: () => void = () => {}): Promise<Profile> {
  const steps = { count: 0 }
  return profileBox({
    key,
    load: [],
    bounds: { latencyRatio: 1.5, memoryBudgetBytes: 2 ** 30, maxThreads: 8, maxBatch: 1 },
    windowMs: 1,
    clock: systemClock,
    measure: measureAs(jobs, steps),
    startTraining: async () => ({
      steps: () => steps.count,
      stepsPerEpoch: 8,
      residentBytes: () => 5 * 2 ** 20,
      stop: async () => onStop(),
    }),
  })
}

test('a box is measured alone and beside training, and the profile holds every point', async () => {
  const jobs: ProbeJob[] = []
  let stopped = 0
  const profile = await profileFake(jobs, () => {
    stopped += 1
  })
  assert.equal(profileSchema.parse(JSON.parse(JSON.stringify(profile))), profile)
  assert.equal(
    jobs.map(job => job.threads),
    [1, 2, 3, 4, 1, 2, 3, 4],
  )
  assert.is(stopped, 1)
  assert.is(profile.alone.threads, 2)
  const beside = profile.points.filter(point => point.training)
  assert.ok(beside.every(point => point.trainingStepsPerSecond === 4 && point.epochSeconds === 2))
  assert.ok(beside.every(point => point.peakMemoryBytes === (point.threads + 5) * 2 ** 20))
  assert.match(profileTable(profile), /beside training: 2 at once/)
})

test('the training loop is stopped when a measurement fails', async () => {
  let running = 0
  const failing = profileBox({
    key,
    load: [],
    bounds: { latencyRatio: 2, memoryBudgetBytes: 2 ** 30, maxThreads: 1, maxBatch: 1 },
    windowMs: 1,
    clock: systemClock,
    measure: async (job, onMeasuring) => {
      if (running > 0) throw new Error('out of memory')
      return measureAs([], { count: 0 })(job, onMeasuring)
    },
    startTraining: async () => {
      running += 1
      const stop = async () => {
        running -= 1
      }
      return { steps: () => 0, stepsPerEpoch: 1, residentBytes: () => 0, stop }
    },
  })
  const message = await failing.then(
    () => 'it did not fail',
    error => error.message,
  )
  assert.is(message, 'out of memory')
  assert.is(running, 0)
})

test('a point that memory did not hold is a finding, and the search stays below it', async () => {
  const steps = { count: 0 }
  const measure = measureAs([], steps)
  const profile = await profileBox({
    key,
    load: [],
    bounds: { latencyRatio: 9, memoryBudgetBytes: 2 ** 30, maxThreads: 8, maxBatch: 1 },
    clock: systemClock,
    measure: async (job, onMeasuring) => (job.threads > 1 ? undefined : measure(job, onMeasuring)),
    startTraining: undefined,
  })
  assert.equal(
    profile.points.map(({ threads, fits }) => [threads, fits]),
    [
      [1, true],
      [2, false],
    ],
  )
  assert.is(profile.alone.threads, 1)
  assert.is(profile.alone.reason, 'at 2, memory ran out')
  assert.equal(profileSchema.parse(JSON.parse(JSON.stringify(profile))), profile)
  assert.match(profileTable(profile), /no memory/)
})

test('an interrupted profile goes on where it was, in the same bounds and within a day', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  const bounds = { latencyRatio: 1.5, memoryBudgetBytes: 2 ** 30, maxThreads: 8, maxBatch: 1 }
  const subject = { key, functions: ['scene'], bounds, windowMs: 1 }
  const measured: number[] = []
  const attempt = async (most: number) => {
    const checkpoint = await openCheckpoint(folder, subject)
    const steps = { count: 0 }
    const measure = measureAs([], steps)
    let left = most
    await profileBox({
      ...{ key, load: [], bounds, clock: systemClock, startTraining: undefined },
      known: checkpoint.known,
      measure: async (job, onMeasuring) => {
        if (left === 0) throw new Error('interrupted')
        left -= 1
        measured.push(job.threads)
        return measure(job, onMeasuring)
      },
      onPoint: (_, all) => checkpoint.save(all),
    })
    await checkpoint.remove()
  }
  try {
    await attempt(2).catch(error => assert.is(error.message, 'interrupted'))
    const day = 24 * 3600 * 1000
    assert.is((await openCheckpoint(folder, subject)).known?.points.length, 2)
    assert.is((await openCheckpoint(folder, { ...subject, windowMs: 2 })).known, undefined)
    assert.is((await openCheckpoint(folder, subject, () => Date.now() + day)).known, undefined)
    await attempt(9)
    assert.equal(measured, [1, 2, 3, 4])
    assert.is((await openCheckpoint(folder, subject)).known, undefined)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('the newest profile that fits is in force, and unfit files are named', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  try {
    assert.match((await findProfile(folder, key)).reason, /there is none.*safe default/)
    const profile = await profileFake()
    const file = await writeProfile(folder, profile)
    await writeFile(join(folder, 'broken.json'), '{"version": 1')
    await writeFile(
      join(folder, 'older.json'),
      JSON.stringify({
        ...profile,
        createdAt: '2020-01-01T00:00:00.000Z',
        alone: { ...profile.alone, threads: 7 },
      }),
    )
    const found = await findProfile(folder, key)
    assert.is(found.file, file)
    assert.is(found.points.alone.threads, 2)
    const unfit = await findProfile(folder, { ...key, onnxruntime: '2.0.0' })
    assert.is(unfit.profile, undefined)
    assert.match(unfit.reason, /broken.json is not a profile/)
    assert.match(unfit.reason, /onnxruntime "1.30.0", here it is "2.0.0"/)
    assert.is(profileSchema.parse(JSON.parse(await readFile(file, 'utf8'))).version, 1)
    assert.match(await readFile(file.replace('.json', '.md'), 'utf8'), /alone: 2 at once/)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test.run()
