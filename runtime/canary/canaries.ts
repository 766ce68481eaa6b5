/**
 * Candidates on trial: a version that the gate has accepted is loaded beside the one that serves, gets a share of the
 * requests, or a copy of them (shadow), and takes over or is taken back by what is counted. Kept in `state/canaries.json`,
 * so that a trial goes on after a restart. How it is judged is in judge.ts; who routes requests is dispatch/.
 */
import { join } from 'node:path'
import type { CheckedCanary } from '../core/canary-schema.ts'
import type { Clock } from '../core/clock.ts'
import type { Deployment } from '../core/deployment.ts'
import { CorunError } from '../core/errors.ts'
import { isSwitch } from '../models/lineage.ts'
import type { ModelFile, ModelStore } from '../models/model-store.ts'
import type { Logger } from '../observe/log.ts'
import { createSerial } from '../state/serial.ts'
import { openState } from '../state/state-file.ts'
import { noCounts } from './counts.ts'
import { type CanaryDecision, judgeCanary, lookCounts } from './judge.ts'
import { type CanaryRecord, type CanaryView, canaryStateSchema, canaryView } from './record.ts'
import { type CanaryTraffic, createCanaryTraffic, type Trial } from './traffic.ts'

/** What is needed of the registry, a room of its own. */
export interface CanaryRegistry {
  get(name: string): { deployment?: Deployment | undefined } | undefined
  /** Loads and warms the version everywhere, beside what serves. Rejects when it does not load. */
  deployBeside(modelId: string, version: ModelFile): Promise<Deployment>
  /** The one beside, while what serves is what it was loaded beside. */
  beside(name: string): Deployment | undefined
  endBeside(name: string): void
  switchModel(modelId: string, version: ModelFile, commit: () => Promise<void>): Promise<void>
  onChange(listener: (change: { name: string }) => void): () => void
}

export interface CanaryOptions {
  dataDir: string
  models: ModelStore
  registry: CanaryRegistry
  clock: Clock
  log: Logger
  /** From save to save, and from look to look whether the time is over. Default 5,000. */
  everyMs?: number
}

export interface CanaryStart {
  function: string
  model: string
  run: string
  candidate: ModelFile
  options: CheckedCanary
  by: string
  /** What the gate found. */
  why: string
}

export interface CanaryEnd {
  function: string
  model: string
  run: string
  outcome: 'promoted' | 'rejected' | 'cancelled'
  by: string
  why: string
  /** How it stood. */
  view: CanaryView
}

/** Who ends a trial, and why. */
export interface StopReason {
  by: string
  why: string
  /** Default `rejected`. */
  outcome?: 'rejected' | 'cancelled'
}

export interface Canaries extends CanaryTraffic {
  /** The version is on trial when this resolves. Rejects, and leaves nothing behind, when it does not load. */
  begin(start: CanaryStart): Promise<CanaryView>
  /** After the functions have been deployed: trials of before the restart go on. */
  start(): Promise<void>
  /** Requests can come from now on: the time of trials passes. */
  beServed(): void
  /** Whether this run's candidate is on trial. */
  isOnTrial(run: string): boolean
  /** By function. */
  get(name: string): CanaryView | undefined
  list(): (CanaryView & { function: string; model: string })[]
  /** Takes the candidate back. False when the function has none. */
  stop(name: string, reason: StopReason): Promise<boolean>
  onEnd(listener: (end: CanaryEnd) => void | Promise<void>): void
  /** Saves what was counted; the next start goes on. */
  close(): Promise<void>
}

/** Codes of a load that may succeed another time. */
const tryLater: ReadonlySet<string> = new Set(['saturated', 'shutting-down', 'thread-lost'])

export async function createCanaries(options: CanaryOptions): Promise<Canaries> {
  const { dataDir, models, registry, clock, log, everyMs = 5000 } = options
  const state = await openState(join(dataDir, 'state', 'canaries.json'), canaryStateSchema, {
    version: 1,
    canaries: {},
  })
  const inTurn = createSerial()
  const listeners: ((end: CanaryEnd) => void | Promise<void>)[] = []
  const trialOf = (record: CanaryRecord): Trial => ({ record, ending: false, copies: new Map() })
  const trials = new Map(
    Object.entries(state.data.canaries).map(([name, record]) => [name, trialOf(structuredClone(record))]),
  )
  let dirty = false
  let started = false
  let closed = false
  let serving = false
  let lastTick = clock.monotonic()

  for (const { id, canary } of models.list()) {
    const known = [...trials.values()].some(
      ({ record }) => record.model === id && record.candidate === canary,
    )
    if (canary === null || known) continue
    await models.rejectCandidate(id, canary, { by: 'corun', why: 'what was known of its trial is lost' })
  }

  const save = () =>
    state.update(draft => {
      dirty = false
      draft.canaries = Object.fromEntries([...trials].map(([name, { record }]) => [name, record]))
    })
  const saved = () =>
    save().catch(error => {
      dirty = true
      log.error({ err: error }, 'what trials have counted was not saved')
    })
  /** The trial of a function while requests are counted for it. */
  const counting = (name: string): Trial | undefined => {
    const trial = trials.get(name)
    return trial === undefined || trial.ending || registry.beside(name)?.id !== trial.record.deployment
      ? undefined
      : trial
  }

  async function finish(trial: Trial, outcome: CanaryEnd['outcome'], by: string, why: string): Promise<void> {
    const { record } = trial
    const { function: name, model, run, candidate } = record
    trial.ending = true
    trials.delete(name)
    registry.endBeside(name)
    const view = canaryView(record)
    log.info({ function: name, model, run, candidate, outcome, by, why }, 'a trial has ended')
    for (const listener of listeners) await listener({ function: name, model, run, outcome, by, why, view })
    await saved()
  }

  /** What was decided is done; a promotion that fails takes the candidate back. */
  async function conclude(
    trial: Trial,
    outcome: CanaryEnd['outcome'],
    by: string,
    why: string,
  ): Promise<void> {
    if (trials.get(trial.record.function) !== trial) return
    const { model, candidate } = trial.record
    trial.ending = true
    if (outcome === 'promoted') {
      try {
        await registry.switchModel(model, models.version(model, candidate), () =>
          models.commitPromotion(model, candidate, { by, why }),
        )
        return await finish(trial, outcome, by, why)
      } catch (error) {
        log.error({ model, candidate, err: error }, 'the candidate was not promoted after its trial')
        return takeBack(trial, 'rejected', by, 'it could not be loaded and promoted')
      }
    }
    await takeBack(trial, outcome, by, why)
  }
  async function takeBack(
    trial: Trial,
    outcome: CanaryEnd['outcome'],
    by: string,
    why: string,
  ): Promise<void> {
    await models.rejectCandidate(trial.record.model, trial.record.candidate, { by, why })
    await finish(trial, outcome, by, why)
  }

  function look(trial: Trial): void {
    const { record } = trial
    const { verdict, reasons }: CanaryDecision = judgeCanary(record)
    const { function: name, model } = record
    log.info(
      { function: name, model, requests: record.counts.candidate.requests, verdict, reasons },
      'a trial',
    )
    if (verdict === 'go-on') return
    trial.ending = true
    const outcome = verdict === 'promote' ? 'promoted' : 'rejected'
    inTurn(() => conclude(trial, outcome, 'canary', reasons.join('; '))).catch(error => {
      log.error({ function: name, err: error }, 'a trial could not be ended: it goes on')
      trial.ending = false
    })
  }
  const traffic = createCanaryTraffic({
    counting,
    serving: name => registry.get(name)?.deployment,
    onCounted(trial, moved) {
      dirty = true
      const { counts, options } = trial.record
      if (moved && lookCounts(options.requests).includes(counts.candidate.requests)) look(trial)
    },
  })

  /** Loads the candidate where it is not loaded, and begins to count anew where it is another deployment. */
  async function attach(trial: Trial): Promise<void> {
    const { record } = trial
    const { model, candidate } = record
    const { id } = await registry.deployBeside(model, models.version(model, candidate))
    if (record.deployment !== id && record.deployment !== '') {
      record.counts = noCounts()
      log.info({ model, deployment: id }, 'a trial counts anew: the function has changed')
    }
    record.deployment = id
    await saved()
  }

  /** The function has been deployed, or a version made current: by whom, and what that means for the trial. */
  async function reconcile(name: string): Promise<void> {
    const trial = trials.get(name)
    if (trial === undefined || closed) return
    const { model, candidate } = trial.record
    const known = models.list().find(({ id }) => id === model)
    if (known?.canary !== candidate) {
      const { by = 'corun', why = '' } = known?.history.findLast(isSwitch) ?? {}
      return finish(trial, known?.current === candidate ? 'promoted' : 'rejected', by, why)
    }
    if (registry.get(name)?.deployment === undefined || registry.beside(name) !== undefined) return
    try {
      await attach(trial)
    } catch (error) {
      const later = error instanceof CorunError && tryLater.has(error.code)
      if (later || closed)
        return log.warn({ model, candidate, err: error }, 'a trial waits for its candidate')
      log.error({ model, candidate, err: error }, 'the candidate of a trial does not load')
      await takeBack(trial, 'rejected', 'corun', 'it does not load any more')
    }
  }
  const reconciled = (name: string) =>
    inTurn(() => reconcile(name)).catch(error =>
      log.error({ function: name, err: error }, 'a trial does not follow its function'),
    )
  registry.onChange(({ name }) => {
    if (started && trials.has(name)) void reconciled(name)
  })

  /** Counts the time that has passed; answers the trials that it has passed for. */
  function passTime(): Trial[] {
    const now = clock.monotonic()
    const passed = now - lastTick
    lastTick = now
    if (!serving) return []
    const counted = [...trials.keys()].flatMap(name => counting(name) ?? [])
    for (const { record } of counted) record.activeMs += passed
    dirty ||= counted.length > 0
    return counted
  }
  function tick(): void {
    for (const trial of passTime()) {
      if (trial.record.activeMs >= trial.record.options.forMs) look(trial)
    }
    // What could not be loaded for want of a free thread is tried again.
    for (const name of started ? trials.keys() : [])
      if (registry.beside(name) === undefined) void reconciled(name)
    if (dirty) void saved()
  }
  const timer = setInterval(tick, everyMs).unref()

  return {
    ...traffic,
    begin: start =>
      inTurn(async () => {
        const { function: name, model, run, candidate, options, by, why } = start
        const { current } = models.get(model)
        const record: CanaryRecord = {
          ...{ function: name, model, run, current, options, activeMs: 0, deployment: '' },
          candidate: candidate.sha256,
          startedAt: new Date(clock.now()).toISOString(),
          counts: noCounts(),
        }
        const trial = trialOf(record)
        try {
          record.deployment = (await registry.deployBeside(model, candidate)).id
          trials.set(name, trial)
          await save()
          await models.beginCanary(model, candidate.sha256, { by, why })
        } catch (error) {
          trials.delete(name)
          registry.endBeside(name)
          await saved()
          throw error
        }
        log.info({ function: name, model, run, candidate: candidate.sha256, ...options }, 'a trial begins')
        return canaryView(record)
      }),
    async start() {
      started = true
      for (const name of [...trials.keys()]) await reconciled(name)
    },
    beServed() {
      serving = true
      lastTick = clock.monotonic()
    },
    isOnTrial: run => [...trials.values()].some(({ record }) => record.run === run),
    get(name) {
      const trial = trials.get(name)
      return trial && canaryView(trial.record)
    },
    list: () =>
      [...trials.values()].map(({ record }) => ({
        function: record.function,
        model: record.model,
        ...canaryView(record),
      })),
    stop: (name, { by, why, outcome = 'rejected' }) =>
      inTurn(async () => {
        const trial = trials.get(name)
        if (trial === undefined) return false
        await conclude(trial, outcome, by, why)
        return true
      }),
    onEnd: listener => void listeners.push(listener),
    async close() {
      closed = true
      clearInterval(timer)
      passTime()
      await inTurn(async () => {})
      await saved()
    },
  }
}
