// How soon drift is seen, and how often it is seen where there is none: the shipped text-orientation function on drawn
// lines of text, through the server's pool and detector. Needs a built dist/.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ModelSaid } from '../../runtime/core/messages.ts'
import { createDetector } from '../../runtime/drift/detector.ts'
import { defaultDrift } from '../../runtime/drift/monitor.ts'
import { seededRandom, shuffled } from '../../runtime/training/random.ts'
import { type DriftName, driftNames } from '../pictures/drift.ts'
import type { SuiteOptions, SuiteResult } from './bench.ts'
import { type DriftStream, openDriftStream } from './drift-stream.ts'
import { featureCost } from './feature-cost.ts'
import { type Figure, figure } from './figures.ts'
import { openTarget } from './learning-target.ts'

interface Scale {
  drifts: readonly DriftName[]
  seeds: readonly number[]
  /** Requests of the reference. */
  reference: number
  /** Undrifted requests before a drift begins. */
  before: number
  /** Undrifted requests in which false alarms are counted. */
  undrifted: number
  /** Orders in which these are gone through. */
  orders: number
  costRounds: number
}

const full: Scale = {
  drifts: driftNames,
  seeds: [1, 2, 3, 4, 5],
  reference: defaultDrift.reference,
  before: 1000,
  undrifted: 20_000,
  orders: 10,
  costRounds: 60,
}
const short: Scale = {
  drifts: driftNames.slice(0, 2),
  seeds: [1],
  reference: 250,
  before: 100,
  undrifted: 600,
  orders: 2,
  costRounds: 10,
}

/** A drift that is not seen within so many requests is not seen. */
const patience = 2000

export async function driftSuite({ quick, say }: SuiteOptions): Promise<SuiteResult> {
  const scale = quick ? short : full
  const scratch = await mkdtemp(join(tmpdir(), 'corun-drift-'))
  try {
    const target = await openTarget('text-orientation', join(scratch, 'build'))
    const model = Object.values(target.deployment.models)[0]
    const { input } = target.deployment.description
    if (model === undefined || input.kind !== 'image') throw new Error('text-orientation takes no pictures')
    const ratios = await featureCost(model.file, [1, 3, input.height, input.width], scale.costRounds)
    const stream = openDriftStream(target.deployment)
    try {
      const clean = await observeClean(stream, scale, say)
      const delays = await findDelays(stream, clean, scale, say)
      const { false: counted, perRequestUs } = countAlarms(clean, scale)
      const cost = [
        figure('work of drift on the main thread, a request', 'us', perRequestUs, { bound: '<= 50', quick }),
        figure('run time with features over without', '', ratios, { bound: '<= 1.02', quick }),
      ]
      return {
        figures: [...delayFigures(delays, quick), ...alarmFigures(counted, scale.undrifted, quick), ...cost],
        left: [],
      }
    } finally {
      await stream.close()
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

const inPart = 200

/** Pictures of which none is like another: the reference, and then the undrifted requests. */
async function observeClean(
  stream: DriftStream,
  scale: Scale,
  say: SuiteOptions['say'],
): Promise<ModelSaid[]> {
  const wanted = scale.reference + scale.undrifted
  const clean: ModelSaid[] = []
  for (let part = 1; clean.length < wanted; part += 1) {
    clean.push(
      ...(await stream.observe({
        count: inPart,
        seed: 100_000 + part,
        text: part % 2 ? 'train' : 'held-out',
      })),
    )
    if (part % 10 === 0) say(`${clean.length} of ${wanted} undrifted pictures`)
  }
  return clean.slice(0, wanted)
}

/** Requests from the beginning of each drift to its alarm. */
async function findDelays(
  stream: DriftStream,
  clean: readonly ModelSaid[],
  { drifts, seeds, reference, before }: Scale,
  say: SuiteOptions['say'],
): Promise<Map<DriftName, number[]>> {
  const delays = new Map<DriftName, number[]>(drifts.map(drift => [drift, []]))
  for (const seed of seeds) {
    for (const [drift, found] of delays) {
      const detector = createDetector({ ...defaultDrift, reference })
      for (const said of shuffled(clean, seededRandom(seed)).slice(0, reference + before))
        detector.observe(said)
      let delay = Number.POSITIVE_INFINITY
      for (let seen = 0; seen < patience && delay > patience; ) {
        const set = { count: 20, seed: 1000 * seed + seen, text: 'held-out' as const, drift }
        for (const said of await stream.observe(set)) {
          seen += 1
          if (detector.observe(said) === 'drifted') delay = Math.min(delay, seen)
        }
      }
      found.push(delay)
      const [finding] = detector.view().findings
      say(
        `${drift}, seed ${seed}: seen after ${delay} requests, by ${finding?.test} of the last ${finding?.window}`,
      )
    }
  }
  return delays
}

function delayFigures(delays: ReadonlyMap<DriftName, readonly number[]>, quick: boolean): Figure[] {
  return [...delays].map(([drift, found]) =>
    figure(`${drift}: requests until it is seen`, '', found, { bound: '<= 100', quick }),
  )
}

interface Counted {
  /** Alarms at the default rate, of each order. */
  atDefault: number[]
  /** Alarms in 1,000 requests at a stated rate of one, of each order. */
  atOne: number[]
}

function countAlarms(clean: readonly ModelSaid[], { reference, orders, undrifted }: Scale) {
  const counted: Counted = { atDefault: [], atOne: [] }
  const perRequestUs: number[] = []
  for (let order = 0; order < orders; order += 1) {
    const requests = order === 0 ? clean : shuffled(clean, seededRandom(1000 + order))
    const startedAt = process.cpuUsage()
    counted.atDefault.push(alarmsIn(requests, reference, defaultDrift.falseAlarms))
    const { user, system } = process.cpuUsage(startedAt)
    perRequestUs.push((user + system) / requests.length)
    counted.atOne.push((1000 * alarmsIn(requests, reference, 1)) / undrifted)
  }
  return { false: counted, perRequestUs }
}

function alarmsIn(requests: readonly ModelSaid[], reference: number, falseAlarms: number): number {
  const detector = createDetector({ reference, falseAlarms })
  let alarms = 0
  let before = 'stable'
  for (const said of requests) {
    const level = detector.observe(said)
    if (level === 'drifted' && before !== 'drifted') alarms += 1
    before = level
  }
  return alarms
}

function alarmFigures({ atDefault, atOne }: Counted, undrifted: number, quick: boolean): Figure[] {
  const most = defaultDrift.falseAlarms
  return [
    // A whole number: what is expected of 20,000, 0.02, leaves room for none.
    figure(`false alarms in ${undrifted} undrifted requests, stated rate ${most} in 1,000`, '', atDefault, {
      bound: '<= 0',
      quick,
    }),
    figure('false alarms in 1,000 undrifted requests, stated rate 1', '', atOne, { bound: '<= 1', quick }),
  ]
}
