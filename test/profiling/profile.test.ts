import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock } from '../../runtime/core/clock.ts'
import { openCheckpoint, type Subject } from '../../runtime/profiling/checkpoint.ts'
import { latencyPercentiles } from '../../runtime/profiling/latency.ts'
import type { ProbeJob, ProbeResult } from '../../runtime/profiling/probe-job.ts'
import {
  type MixSource,
  type Profile,
  type ProfileKey,
  profileFileName,
  profileSchema,
  staleReason,
} from '../../runtime/profiling/profile.ts'
import { type ProfileOptions, profileBox } from '../../runtime/profiling/profile-box.ts'
import { profileReport } from '../../runtime/profiling/profile-report.ts'
import { loadText, profileTable } from '../../runtime/profiling/profile-table.ts'
import type { SearchSpace } from '../../runtime/profiling/space.ts'
import { findProfile, writeProfile } from '../../runtime/profiling/store.ts'
import { createDeployment, createDeploymentModel } from '../drift/fixtures.ts'

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

const space: SearchSpace = {
  threads: [1, 2, 3, 4],
  intraOpThreads: [1],
  batch: [1],
  trainerThreads: [1],
  microBatch: [8, 16],
}

/** A box of two cores. `onMeasuring` is told how many steps training has made meanwhile. */
function resultOf(job: ProbeJob): ProbeResult {
  const p95 = 10 * Math.max(1, job.threads / 2)
  return {
    requests: Math.min(2, job.threads) * 100,
    failed: 0,
    elapsedMs: 1000,
    measuredMs: 1000,
    stable: true,
    latencyMs: { p50: p95, p95, p99: p95 },
    queueMs: { p50: 1, p95: 1, p99: 1 },
    runMs: { p50: p95 - 1, p95: p95 - 1, p99: p95 - 1 },
    cpuSeconds: 0.5,
    peakMemoryBytes: job.threads * 2 ** 20,
    deviceFreeBytes: null,
  }
}

/** Everything that profileBox takes, of a box that trains at 4 steps a second whatever runs beside. */
function fakeBox(changes: Partial<ProfileOptions> = {}) {
  const jobs: ProbeJob[] = []
  const trainers: string[] = []
  let steps = 0
  const options: ProfileOptions = {
    key,
    load: [],
    mix: 'observed',
    goal: {
      objective: 'throughput',
      bounds: {
        latency: { ratio: 1.5 },
        percentile: 'p95',
        memoryBudgetBytes: 2 ** 30,
        maxEpochStretch: 9e9,
        rate: null,
      },
    },
    space,
    mode: 'quick',
    warmUpMs: 1,
    windowMs: 1,
    clock: systemClock,
    trained: 'scene',
    readDevice: async () => undefined,
    async measure(job, onMeasuring) {
      jobs.push(job)
      onMeasuring()
      steps += 4
      return resultOf(job)
    },
    async startTraining({ threads, microBatch }) {
      trainers.push(`start ${microBatch} on ${threads}`)
      return {
        steps: () => {
          steps += 1e-9
          return steps
        },
        stepsPerEpoch: 8,
        residentBytes: () => 5 * 2 ** 20,
        ended: () => undefined,
        yields: null,
        goOn: () => {},
        async stop() {
          trainers.push('stop')
        },
      }
    },
    ...changes,
  }
  return { options, jobs, trainers }
}

test('it tells whose shares the load has', async () => {
  const named = await profileFake({ mix: 'asked' })
  assert.is(named.mix, 'asked')
  const workload = { scene: 0.75, ocr: 0.25 }
  const cases: [MixSource | undefined, RegExp][] = [
    ['asked', /^scene 75 %, ocr 25 %, as asked for$/],
    ['observed', /as requests to the server were$/],
    ['equal', /in equal shares, since no requests have been observed$/],
    [undefined, /25 %$/],
  ]
  for (const [mix, text] of cases) {
    const profile = { ...named, workload }
    if (mix === undefined) delete profile.mix
    else profile.mix = mix
    assert.match(loadText(profile), text)
    assert.ok(profileTable(profile).includes(loadText(profile)))
    assert.ok(profileReport(profile).includes(loadText(profile)))
  }
})

const profileFake = (changes: Partial<ProfileOptions> = {}): Promise<Profile> =>
  profileBox(fakeBox(changes).options)

test('a box is measured alone and beside training, and the profile holds every figure of every point', async () => {
  const { options, jobs, trainers } = fakeBox()
  const profile = await profileBox(options)
  assert.equal(profileSchema.parse(JSON.parse(JSON.stringify(profile))), profile)
  assert.equal(
    jobs.slice(0, 3).map(job => job.threads),
    [1, 2, 4],
  )
  assert.is(trainers[0], 'start 16 on 1')
  assert.is(trainers.filter(what => what === 'stop').length, trainers.filter(what => what !== 'stop').length)
  assert.is(profile.alone.threads, 2)
  assert.is(profile.alone.trainer, null)
  assert.is(profile.besideTraining.trainer?.function, 'scene')
  assert.is(profile.trainingAlone?.microBatch, 16)
  const beside = profile.points.filter(point => point.training)
  assert.ok(beside.length > 0)
  for (const point of beside) {
    assert.is(Math.round(point.trainingStepsPerSecond ?? 0), 4)
    assert.is(Math.round(point.epochSeconds ?? 0), 2)
    assert.is(point.peakMemoryBytes, (point.threads + 5) * 2 ** 20)
    assert.is(point.cpuSecondsPerInference, 0.5 / point.requests)
  }
  assert.match(profileTable(profile), /beside training: 2 at once/)
  assert.is(profile.search.measurements, profile.points.length)
})

test('what proves the choices beside the expected load comes out of the measurements that a quick search may make', async () => {
  const wide = { ...space, threads: [1, 2, 3, 4, 5, 6, 7, 8], batch: [1, 2, 4] }
  const profile = await profileFake({ space: wide, curves: false })
  const { grid, measurements } = profile.search
  assert.ok(measurements <= 0.15 * grid, `${measurements} of ${grid}`)
  for (const choice of [profile.alone, profile.besideTraining]) {
    const isChoice = ({ threads, batch, training }: (typeof profile.points)[number]) =>
      threads === choice.threads && batch === choice.batch && training === (choice.trainer !== null)
    assert.ok(profile.points.some(point => isChoice(point) && point.rate !== null))
  }
})

test('where nothing can be trained the point beside training is that alone', async () => {
  const profile = await profileFake({
    trained: undefined,
    space: { ...space, microBatch: [], trainerThreads: [] },
  })
  assert.not(profile.points.some(({ training }) => training))
  assert.equal(profile.besideTraining, profile.alone)
})

test('the training loop is stopped when a measurement fails', async () => {
  const { options, trainers } = fakeBox()
  const measure: ProfileOptions['measure'] = async (job, onMeasuring) => {
    if (trainers.length > 0) throw new Error('the probe broke')
    return options.measure(job, onMeasuring)
  }
  await profileBox({ ...options, measure }).then(
    () => assert.unreachable(),
    error => assert.is(error.message, 'the probe broke'),
  )
  assert.equal(trainers, ['start 16 on 1', 'stop'])
})

test('a point that memory did not hold is a finding, and the search stays below it', async () => {
  const { options } = fakeBox()
  const profile = await profileBox({
    ...options,
    measure: (job, onMeasuring) =>
      job.threads > 1 ? Promise.resolve(undefined) : options.measure(job, onMeasuring),
  })
  const burst = profile.points.filter(({ fits }) => !fits)
  assert.ok(burst.some(({ threads }) => threads === 2))
  assert.is(profile.alone.threads, 1)
  assert.match(profile.alone.reason, /2 at once: memory ran out/)
  assert.equal(profileSchema.parse(JSON.parse(JSON.stringify(profile))), profile)
  assert.match(profileTable(profile), /no memory/)
})

test('a trainer that memory did not hold is a finding too, and a smaller micro-batch is tried', async () => {
  const { options } = fakeBox()
  const profile = await profileBox({
    ...options,
    startTraining: async setting => (setting.microBatch > 8 ? undefined : options.startTraining(setting)),
  })
  const beside = profile.points.filter(({ training }) => training)
  assert.ok(beside.some(({ fits, microBatch }) => !fits && microBatch === 16))
  assert.is(profile.besideTraining.trainer?.microBatch, 8)
  assert.is(profile.trainingAlone?.microBatch, 8)
})

test('a trainer that dies for memory during a point makes it one that does not fit', async () => {
  const { options } = fakeBox()
  let died = false
  const profile = await profileBox({
    ...options,
    async startTraining(setting) {
      const loop = await options.startTraining(setting)
      const dies = setting.microBatch === 16
      const ended = () => {
        died ||= dies
        return dies ? ('memory' as const) : undefined
      }
      return loop && { ...loop, ended }
    },
  })
  assert.ok(died)
  assert.ok(profile.points.some(({ fits, microBatch }) => !fits && microBatch === 16))
  assert.is(profile.besideTraining.trainer?.microBatch, 8)
})

test('a time budget ends the profile, which says what it left out', async () => {
  let now = 0
  const clock = { now: () => 1e12, monotonic: () => now }
  const { options } = fakeBox()
  const profile = await profileBox({
    ...{ ...options, clock, budgetMs: 3000 },
    measure(job, onMeasuring) {
      now += 1000
      return options.measure(job, onMeasuring)
    },
  })
  assert.is(profile.points.length, 3)
  assert.match(
    profile.search.leftOut.join(),
    /part of the search: the time of 3 s was over; next would have been/,
  )
  assert.is(profile.alone.threads, 2)
  assert.is(profile.besideTraining.threads, 1)
  assert.match(profile.besideTraining.reason, /nothing was measured beside training: part of the search/)
})

test('the memory of each model under load is in the profile, and in words in its table', async () => {
  const prepared = (form: 'shared' | 'plain', mib: number) => ({
    form,
    why: 'tried',
    weightBytes: mib * 2 ** 20,
  })
  const deployment = {
    ...createDeployment(),
    models: {
      net: createDeploymentModel({ id: 'scene.net', prepared: prepared('shared', 100) }),
      small: createDeploymentModel({ id: 'scene.small', prepared: prepared('plain', 3) }),
      unknown: createDeploymentModel({ id: 'scene.unknown' }),
    },
  }
  const load = [{ deployment, contentType: 'image/jpeg', bodies: ['/a.jpg'], share: 1 }]
  const profile = profileSchema.parse(await profileFake({ load }))
  assert.equal(profile.models, {
    'scene.net': { weights: 'shared', why: 'tried', weightBytes: 100 * 2 ** 20 },
    'scene.small': { weights: 'plain', why: 'tried', weightBytes: 3 * 2 ** 20 },
  })
  assert.is(profile.alone.threads, 2)
  const text = profileTable(profile)
  assert.match(text, /scene\.net: 100 MiB of weights, one copy for all threads/)
  assert.match(text, /scene\.small: 3 MiB of weights in each thread, 6 MiB alone/)
  const { models: _, ...older } = profile
  assert.is(profileSchema.parse(older).models, undefined)
})

test('a probe is told of the trainer beside it, and what it may have held goes on when it ends', async () => {
  const { options, jobs } = fakeBox()
  const priority = { how: 'idle-class', niceness: 10, switches: true, holds: true } as const
  const yields = { pid: 4711, threads: 1, share: 0.05, priority }
  let held = 0
  await profileBox({
    ...options,
    async measure(job, onMeasuring) {
      if (job.trainer !== null) held += 1
      return options.measure(job, onMeasuring)
    },
    async startTraining(setting) {
      const loop = await options.startTraining(setting)
      const goOn = () => {
        held -= 1
      }
      return loop && { ...loop, yields, goOn }
    },
  })
  const told = jobs.filter(({ trainer }) => trainer !== null)
  assert.ok(told.length > 0 && told.length < jobs.length, 'beside training, and not alone')
  assert.ok(told.every(({ trainer }) => trainer?.pid === 4711))
  assert.is(held, 0)
})

test('the chosen points are measured beside the load that is expected, alone too', async () => {
  const { options, jobs } = fakeBox()
  options.goal.bounds.rate = 40
  const profile = await profileBox(options)
  assert.is(jobs.filter(({ rate }) => rate === 40).length, 2)
  // 1.5 times what one inference takes alone: beside a load training yields to it, and on every thread nobody watches.
  for (const { rate, boundMs } of jobs) assert.is(boundMs, rate === null ? null : 15)
  const open = profile.points.filter(({ rate }) => rate === 40)
  assert.equal(
    open.map(({ threads, training }) => [threads, training]),
    [
      [profile.besideTraining.threads, true],
      [profile.alone.threads, false],
    ],
  )
})

test('a device whose memory shrinks ends the search; what was chosen fits, and the reason is told', async () => {
  let freeMiB = 1100
  const { options } = fakeBox({ space: { ...space, threads: [1, 2, 3, 4, 5, 6, 7, 8] } })
  const reads: number[] = []
  const profile = await profileBox({
    ...options,
    async readDevice() {
      reads.push(freeMiB)
      const freeBytes = freeMiB * 2 ** 20
      freeMiB = Math.max(0, freeMiB - 60)
      return { source: 'nvidia-smi', totalBytes: 2 ** 31, freeBytes }
    },
  })
  const budget = profile.bounds.deviceBudgetBytes ?? 0
  assert.is(budget, Math.floor(1100 * 2 ** 20 * 0.9))
  assert.ok(profile.points.length < 8)
  const chosen = profile.points.find(
    ({ threads, batch, training }) =>
      threads === profile.alone.threads && batch === profile.alone.batch && !training,
  )
  assert.ok((chosen?.deviceMemoryBytes ?? Number.POSITIVE_INFINITY) <= budget)
  const told = [profile.alone.reason, profile.besideTraining.reason, ...profile.search.leftOut].join()
  assert.match(told, /of the device's memory/)
})

test('an interrupted profile goes on where it was, in the same bounds and within a day', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  const { goal } = fakeBox().options
  const subject: Subject = { key, workload: { scene: 1 }, goal, space, mode: 'quick', windowMs: 1 }
  const measured: string[] = []
  const attempt = async (most: number) => {
    const checkpoint = await openCheckpoint(folder, subject)
    const { options } = fakeBox()
    let left = most
    await profileBox({
      ...options,
      known: checkpoint.known,
      measure: async (job, onMeasuring) => {
        if (left === 0) throw new Error('interrupted')
        left -= 1
        measured.push(`${job.threads}/${job.batch}`)
        return options.measure(job, onMeasuring)
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
    await attempt(99)
    assert.equal(measured.slice(0, 3), ['1/1', '2/1', '4/1'], 'none is measured twice')
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
    await writeFile(join(folder, 'former.json'), JSON.stringify({ ...profile, version: 1 }))
    const older = {
      ...profile,
      createdAt: '2020-01-01T00:00:00.000Z',
      alone: { ...profile.alone, threads: 7 },
    }
    await writeFile(join(folder, 'older.json'), JSON.stringify(older))
    const found = await findProfile(folder, key)
    assert.is(found.file, file)
    assert.is(found.points.alone.threads, 2)
    assert.equal(found.points.besideTraining.trainer, profile.besideTraining.trainer)
    const unfit = await findProfile(folder, { ...key, onnxruntime: '2.0.0' })
    assert.is(unfit.profile, undefined)
    assert.match(unfit.reason, /broken.json is not a profile/)
    assert.match(unfit.reason, /former.json has version 1, this corun reads 2: measure again/)
    assert.match(unfit.reason, /onnxruntime "1.30.0", here it is "2.0.0"/)
    assert.match(await readFile(file.replace('.json', '.html'), 'utf8'), /alone: 2 at once/)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test.run()
