/**
 * Retraining on this box: one run at a time, the others wait for their turn. Started by the operator, the clock or drift,
 * recorded from start to end. What a run needs is in begin-run.ts, what happens inside it in run.ts.
 */
import type { Canaries } from '../canary/canaries.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import type { DeployedRetraining } from '../core/deployment.ts'
import { CorunError, serializeError } from '../core/errors.ts'
import type { DriftLevel } from '../drift/level.ts'
import type { ModelStore } from '../models/model-store.ts'
import type { SampleStore } from '../samples/sample-store.ts'
import { type BeginOptions, createBeginnings } from './begin-run.ts'
import type { TrainableFunction } from './prepare-job.ts'
import { type RetrainingView, retrainingView } from './retraining-view.ts'
import type { Run } from './run.ts'
import { openRunHistory } from './run-history.ts'
import { isOver, type RunRecord } from './run-record.ts'
import { createTriedRuns } from './tried-runs.ts'
import { skipReason } from './worth-running.ts'

export interface RetrainingOptions extends Omit<BeginOptions, 'save' | 'clock' | 'now'> {
  samples: Pick<SampleStore, 'list' | 'hold'>
  canaries: Pick<Canaries, 'begin' | 'get' | 'isOnTrial' | 'stop' | 'onEnd'>
  clock?: Clock
  /** When the schedule starts the next run, in ISO 8601. */
  nextRun?: (name: string) => string | null
  /** How far a model, `<function>.<model name>`, has drifted: a scheduled run that cannot pay is skipped. */
  driftLevel?: (modelId: string) => DriftLevel
  /** Told of every run that ended. */
  onEnd?: (end: { function: string; state: RunRecord['state'] }) => void
}

/** Who starts a run, and why: for people. */
export interface StartReason {
  by?: RunRecord['by']
  why?: string
}

export interface Retraining {
  /**
   * Answers when the run is recorded; it goes on by itself, as soon as no other run does. Throws `retraining-conflict` when
   * one of this function runs, waits, or has its candidate on trial, `retraining-skipped` when one by schedule cannot pay, `too-few-samples`.
   */
  start(name: string, reason?: StartReason): Promise<RunRecord>
  /** Starts again what was interrupted when the server stopped; each goes on at its last checkpoint if it can. */
  recover(): Promise<void>
  pause(name: string): RunRecord
  resume(name: string): RunRecord
  /** The run ends as `cancelled` when the step in flight is over; at once while it waits, or its candidate is on trial. */
  cancel(name: string): RunRecord
  list(): RetrainingView[]
  /** Throws `unknown-retraining`. */
  get(name: string): RetrainingView
  /** The run of now, of whatever function. */
  active(): RunRecord | undefined
  /** Resolves when no run is active and none waits. */
  idle(): Promise<void>
  /** Stops the trainer between steps, records its run and those that wait as interrupted, and starts no more. */
  close(): Promise<void>
}

/** A run from the moment that it is recorded. */
interface Entry {
  record: RunRecord
  /** Of the clock's monotonic time. */
  startedAt: number
  run?: Run
  /** Asked for before there was a run to ask. */
  stopAs?: 'cancelled' | 'interrupted'
}

export async function createRetraining(options: RetrainingOptions): Promise<Retraining> {
  const { dataDir, registry, samples, canaries, log, models, clock = systemClock } = options
  const { nextRun = () => null, driftLevel = () => 'stable' } = options
  const now = () => new Date(clock.now()).toISOString()
  const history = await openRunHistory(dataDir, {
    now,
    isOnTrial: ({ id }) => canaries.isOnTrial(id),
    wasPromoted: run => wasPromoted(models, run),
  })
  const beginnings = await createBeginnings({ ...options, save: history.save, clock, now })
  await beginnings.keepOnly(new Set(history.list().flatMap(run => (run.goesOn ? [run.function] : []))))

  /** The first one runs, the others wait. */
  const queue: Entry[] = []
  /** Functions whose run is being recorded: two starts cannot both pass. */
  const starting = new Set<string>()
  const skipped = new Map<string, RetrainingView['skipped']>()
  let closed = false
  let working: Promise<void> | undefined

  const targetOf = (name: string): TrainableFunction => {
    const { deployment, retraining } = registry.get(name) ?? {}
    if (retraining === undefined) throw unknownRetraining(name)
    if (deployment === undefined) {
      throw new CorunError('function-unavailable', `function "${name}" has no working deployment to retrain`)
    }
    return { name, deployment, retraining }
  }
  const entryOf = (name: string) => queue.find(({ record }) => record.function === name)
  const save = (record: RunRecord) =>
    history.save(record).catch(error => log.error({ run: record.id, err: error }, 'a run could not be saved'))

  const tried = createTriedRuns({
    ...{ canaries, clock, log, save },
    find: id =>
      queue.find(({ record }) => record.id === id)?.record ??
      structuredClone(history.list().find(run => run.id === id)),
    list: history.list,
    onEnd: run => options.onEnd?.({ function: run.function, state: run.state }),
  })

  const end = async (entry: Entry): Promise<void> => {
    const { record, startedAt } = entry
    if (record.canary !== null) {
      await tried.noted(record)
      return beginnings.discard(record.function)
    }
    record.endedAt = now()
    record.seconds = (clock.monotonic() - startedAt) / 1000
    await save(record)
    const { id: run, state, decision, seconds, before, after } = record
    options.onEnd?.({ function: record.function, state })
    log.info({ run, state, seconds, before, after, reasons: decision?.reasons }, 'retraining ended')
    // After its end is on disk: a kill in between leaves a folder too many, not one too few.
    if (!record.goesOn) await beginnings.discard(record.function)
  }

  const endOf = (entry: Entry) =>
    end(entry).catch(error => log.error({ run: entry.record.id, err: error }, 'the end of a run failed'))

  /** What a run reads stays until it has ended, whatever is removed meanwhile. */
  const work = async (entry: Entry): Promise<void> => {
    const { record } = entry
    let letGo = () => {}
    try {
      letGo = await samples.hold(record.function)
      if (entry.stopAs === undefined) {
        entry.run = await beginnings.begin(record, () => targetOf(record.function))
        if (entry.stopAs !== undefined) entry.run.stop(entry.stopAs)
        await entry.run.finished
      }
    } catch (error) {
      const { code, message } = serializeError(error, 'internal-error')
      Object.assign(record, { state: 'failed', reason: message, error: { code, message } })
      log.error({ run: record.id, err: error }, 'a run could not begin')
    } finally {
      letGo()
    }
    if (!isOver(record) && record.state !== 'canary') stopWaiting(record, entry.stopAs ?? 'interrupted')
    await endOf(entry)
  }

  const workThrough = async () => {
    for (let entry = queue[0]; entry !== undefined; entry = queue[0]) {
      await work(entry)
      queue.shift()
    }
    working = undefined
  }

  /** Records a run and lets it wait for its turn. */
  const enqueue = async (name: string, make: (target: TrainableFunction) => Promise<RunRecord>) => {
    const target = targetOf(name)
    if (closed) throw new CorunError('shutting-down', 'the server is shutting down: no run starts')
    const { state } = entryOf(name)?.record ?? tried.get(name) ?? {}
    if (state !== undefined || starting.has(name)) {
      throw new CorunError(
        'retraining-conflict',
        `retraining of "${name}" cannot start: one is ${state === 'canary' ? 'on trial' : (state ?? 'starting')}, and one a function runs at a time`,
      )
    }
    starting.add(name)
    try {
      const startedAt = clock.monotonic()
      const record = await make(target)
      await history.save(record)
      queue.push({ record, startedAt, ...(closed ? { stopAs: 'interrupted' } : {}) })
      log.info({ run: record.id, function: name, by: record.by, samples: record.samples }, 'a run is queued')
      const shown = structuredClone(record)
      working ??= workThrough()
      return shown
    } finally {
      starting.delete(name)
    }
  }

  const refuseUseless = async ({ name, retraining, deployment }: TrainableFunction, by: RunRecord['by']) => {
    const last = history
      .list()
      .find(run => run.function === name && (run.state === 'promoted' || run.state === 'rejected'))
    const { accept, model } = retraining.description
    const known = by === 'schedule' && last !== undefined ? await samples.list(name) : []
    const reason = skipReason({
      by,
      lastRunAt: last?.startedAt,
      newSamples: known.filter(({ at }) => at > (last?.startedAt ?? '')).length,
      minNewSamples: accept.minNewSamples,
      drift: driftLevel(deployment.models[model]?.id ?? ''),
    })
    skipped.set(name, reason === undefined ? null : { at: now(), reason })
    if (reason !== undefined) throw new CorunError('retraining-skipped', `retraining of "${name}": ${reason}`)
  }

  /** False where the next start may do better. */
  const recoverRun = async (interrupted: RunRecord): Promise<boolean> => {
    const { function: name, id: run } = interrupted
    try {
      const again = await enqueue(name, target => beginnings.goOn(interrupted, target))
      log.info({ run: again.id, interrupted: run, notes: again.notes }, 'an interrupted run goes on')
      return true
    } catch (error) {
      const { code, message } = serializeError(error, 'internal-error')
      log.warn({ run, function: name, code, reason: message }, 'an interrupted run does not go on')
      if (code === 'disk-full' || code === 'internal-error') return false
      // Of one that was started meanwhile the checkpoint is its own.
      if (code !== 'retraining-conflict') await beginnings.discard(name)
      return true
    }
  }

  const activeRun = (name: string): Run => {
    targetOf(name)
    const { run, record } = entryOf(name) ?? {}
    if (run !== undefined) return run
    const onTrial = tried.get(name) === undefined ? '' : ': its candidate is on trial'
    const why = record === undefined ? `is running${onTrial}` : 'has begun: it is queued'
    throw new CorunError('retraining-conflict', `no retraining of "${name}" ${why}`)
  }
  const view = (retraining: DeployedRetraining): RetrainingView =>
    retrainingView(retraining, {
      active: entryOf(retraining.function)?.record ?? tried.get(retraining.function),
      runs: history.list(),
      nextRunAt: nextRun(retraining.function),
      skipped: skipped.get(retraining.function) ?? null,
    })
  const idle = async () => {
    while (working !== undefined || starting.size > 0) {
      await (working ?? new Promise(resolve => setImmediate(resolve)))
    }
  }

  return {
    start: (name, { by = 'operator', why = '' } = {}) =>
      enqueue(name, async target => {
        await refuseUseless(target, by)
        return beginnings.record(target, { by, why })
      }),
    async recover() {
      const interrupted = history.list().filter(({ goesOn }) => goesOn)
      for (const [index, run] of interrupted.entries()) {
        // Of several of a function the newest one counts.
        const newest = interrupted.findIndex(other => other.function === run.function) === index
        // What goes on is recorded before what it goes on from is settled: a kill in between loses neither.
        if (!newest || (await recoverRun(run))) await history.save({ ...run, goesOn: false, paused: false })
      }
    },
    pause(name) {
      const run = activeRun(name)
      run.pause()
      return structuredClone(run.record)
    },
    resume(name) {
      const run = activeRun(name)
      run.resume()
      return structuredClone(run.record)
    },
    cancel(name) {
      targetOf(name)
      const entry = entryOf(name)
      const onTrial = tried.get(name)
      if (entry === undefined && onTrial !== undefined) {
        tried.cancel(name)
        return onTrial
      }
      if (entry === undefined) {
        throw new CorunError('retraining-conflict', `no retraining of "${name}" is running or waits`)
      }
      if (entry.run?.stop('cancelled') === false) {
        throw new CorunError(
          'retraining-conflict',
          `the run of "${name}" is promoting its candidate: too late to cancel`,
        )
      }
      entry.stopAs = 'cancelled'
      if (entry !== queue[0]) {
        queue.splice(queue.indexOf(entry), 1)
        stopWaiting(entry.record, 'cancelled')
        void endOf(entry)
      }
      return structuredClone(entry.record)
    },
    list: () => registry.list().flatMap(({ retraining }) => (retraining ? [view(retraining)] : [])),
    get(name) {
      const retraining = registry.get(name)?.retraining
      if (retraining === undefined) throw unknownRetraining(name)
      return view(retraining)
    },
    active: () => (queue[0] ? structuredClone(queue[0].record) : undefined),
    idle,
    async close() {
      closed = true
      for (const entry of queue) {
        entry.stopAs ??= 'interrupted'
        entry.run?.stop('interrupted')
      }
      await idle()
    },
  }
}

/** The end of a run that never began. */
function stopWaiting(record: RunRecord, state: 'cancelled' | 'interrupted'): void {
  record.state = state
  record.reason = `${state === 'cancelled' ? 'cancelled by the operator' : 'the server stopped'} while it was queued`
  record.goesOn = state === 'interrupted'
}

/** Whether the server was killed after a promotion was committed and before its run was recorded. */
const wasPromoted = (models: ModelStore, { id, model }: RunRecord): boolean =>
  models
    .list()
    .filter(known => known.id === model)
    .flatMap(known => known.versions)
    .some(version => version.runId === id && (version.state === 'current' || version.state === 'retired'))

const unknownRetraining = (name: string) =>
  new CorunError('unknown-retraining', `function "${name}" has no retraining`)
