/**
 * The system without its port: everything from the data directory to the dispatcher, wired once. `serve` puts
 * HTTP in front of it; `retrain`, `functions` and `models` use it by themselves.
 */
import { join } from 'node:path'
import { type Canaries, createCanaries } from '../canary/canaries.ts'
import { systemClock } from '../core/clock.ts'
import type { Config, Provider } from '../core/config.ts'
import type { CheckedSchedule } from '../core/definition-schema.ts'
import type { Deployment } from '../core/deployment.ts'
import { CorunError } from '../core/errors.ts'
import { modelMemory } from '../core/model-memory.ts'
import { within } from '../core/within.ts'
import { memoryBudgetBytes } from '../device/memory.ts'
import { selectProvider } from '../device/provider.ts'
import { threadsFor } from '../device/session.ts'
import { callScheduled } from '../dispatch/call-scheduled.ts'
import { createDispatcher, type Dispatcher, type InvocationEnd } from '../dispatch/dispatcher.ts'
import { createScheduler } from '../dispatch/scheduler.ts'
import { type Invocations, openInvocations } from '../invocations/invocations.ts'
import { type KeyStore, openKeyStore } from '../keys/key-store.ts'
import { openModelStore } from '../models/model-store.ts'
import type { Logger } from '../observe/log.ts'
import { createMetrics, type Metrics } from '../observe/metrics.ts'
import { openTraffic } from '../observe/traffic.ts'
import { placeOf } from '../pool/choose-place.ts'
import { createPool, type PoolOptions } from '../pool/pool.ts'
import { createSplitPool } from '../pool/split-pool.ts'
import { presentKey } from '../profiling/present-key.ts'
import type { ProfileKey } from '../profiling/profile.ts'
import { findProfile, type ProfileInForce } from '../profiling/store.ts'
import { createRegistry, type Registry, type RegistryChange } from '../registry/registry.ts'
import { type Watch, watchFunctions } from '../registry/watch.ts'
import { createModelControl, type ModelControl } from '../retraining/model-control.ts'
import { createRetraining, type Retraining } from '../retraining/retraining.ts'
import { createSampleStore, type SampleStore } from '../samples/sample-store.ts'
import { type FunctionSchedules, openFunctionSchedules } from '../schedule/function-schedules.ts'
import { createSchedule, type Schedule } from '../schedule/schedule.ts'
import { type DataLock, lockDataDirectory } from '../state/data-lock.ts'
import { createYielding, wantEveryCore } from '../yielding/yielding.ts'
import { hostSlots, operatingState, poolLimits, warmBatches } from './scheduling.ts'
import {
  lowPriorityLauncher,
  mustAsk,
  trainerMemoryBytes,
  trainerPriority,
  trainerThreads,
} from './trainer-settings.ts'
import { openWatching, type Watching } from './watching.ts'

export interface System {
  config: Config
  dispatcher: Dispatcher
  registry: Registry
  retraining: Retraining
  models: ModelControl
  canaries: Canaries
  samples: SampleStore
  keys: KeyStore
  invocations: Invocations
  feedback: Watching['feedback']
  drift: Watching['drift']
  schedules: FunctionSchedules
  metrics: Metrics
  provider: Provider
  /** The key that a profile measured now would have. */
  profileKey(): ProfileKey
  /** Of the pool, in which models run. */
  threads(): number
  /** The profile in force, the limits that follow from it, and why. */
  profile(): object
  notReady(): string | undefined
  /** Tells others, through the data directory, where this system listens. */
  announce(url: string): Promise<void>
  /** Deploys every function. */
  start(): Promise<void>
  /** After the start: what is dropped into the functions folder, changed or removed there is so here, too. */
  watch(): void
  /** After the start: functions are called by the clock, and the invocations that wait on disk run. */
  workUnattended(): Promise<void>
  /** Takes no new requests, answers those in flight, stops a run between steps, and only then ends the threads. */
  close(): Promise<void>
}

/** Opens everything. Throws `data-in-use` when another process holds the data directory. */
export async function openSystem(
  config: Config,
  log: Logger,
  onLogLine: (line: string) => void = () => {},
): Promise<System> {
  const lock = await lockDataDirectory(config.data, { url: 'not listening', clock: systemClock })
  try {
    return await wire(config, { log, onLogLine, lock })
  } catch (error) {
    await lock.release()
    throw error
  }
}

interface Wiring {
  log: Logger
  /** Takes the lines that threads log. */
  onLogLine: (line: string) => void
  lock: DataLock
}

async function wire(config: Config, { log, onLogLine, lock }: Wiring): Promise<System> {
  const { provider, reason } = await selectProvider(config.provider, providerMemory(config))
  log.info({ provider, reason }, 'execution provider')
  const { data: dataDir, keepVersions } = config
  const store = await openModelStore({ dataDir, keepVersions, log })
  // Which models there are is known only after the functions have been loaded, in threads: their number comes from
  // the profile of this device, and whether that profile fits the models is checked in start().
  let inForce = await findProfile(config.profiles, presentKey(provider, {}))
  const limits = poolLimits(inForce, provider)
  const hostThreads = hostSlots(provider)
  const poolOptions: PoolOptions = {
    threads: limits.slots,
    batch: limits.batch,
    warmBatches: warmBatches(inForce),
    // Of both operating points: sessions stay open when they change, and a profile measures them so.
    intraOpThreads: inForce.points.alone.intraOpThreads,
    provider,
    logLevel: config.logLevel,
    log,
    ...isolationLimits(config),
    // Requests have had the grace of the stop by then.
    closeGraceMs: 500,
    onLogLine,
  }
  const pool =
    hostThreads === undefined ? createPool(poolOptions) : createSplitPool({ ...poolOptions, hostThreads })
  const modelThreads = () => threadsFor(provider, pool.stats().threads)
  const registry = createRegistry({
    functionsDir: config.functions,
    dataDir: config.data,
    pool,
    models: store,
    keepWarmMs: config.keepWarm * 1000,
    log,
  })

  const canaries = await createCanaries({
    dataDir,
    models: store,
    registry: {
      ...registry,
      onChange: listener => registry.onChange(change => listener({ name: nameOf(change) })),
    },
    clock: systemClock,
    log,
  })

  const profileKey = () =>
    presentKey(provider, Object.fromEntries(store.list().map(({ id, base }) => [id, base])))

  function memoryByModel() {
    const threads = modelThreads()
    return registry.loaded().flatMap(({ deployment, role }) =>
      Object.values(deployment.models).flatMap(model => {
        const memory = modelMemory(model, threads)
        return memory === undefined ? [] : [{ model: model.id, role, ...memory }]
      }),
    )
  }

  let training = false
  const metrics = createMetrics({
    slots: () => dispatcher.stats(),
    scheduler: () => scheduler.view(),
    threads: () => pool.stats(),
    training: () => ({ active: training, ...yielding.totals() }),
    invocations: () => invocations.stats(),
    drift: () => watching.drift.list(),
    models: memoryByModel,
    canaries: canaries.list,
  })
  const traffic = await openTraffic({ dataDir, clock: systemClock, log })
  const dispatcher = createDispatcher({
    ...limits,
    host: hostThreads === undefined ? undefined : { slots: hostThreads, takes: keepsOffDevice },
    queueLimit: config.queueLimit,
    clock: systemClock,
    deployed: registry.deployed,
    acquire: registry.acquire,
    run: pool.run,
    expectStream: pool.expectStream,
    canaries,
    onEnd(end) {
      canaries.ended(end)
      metrics.invocation(end)
      traffic.count(end.function)
      logInvocation(log, end)
      if (end.outcome === 'ok' && isProfiled(inForce, end.function)) scheduler.ran(end)
    },
    onAnswer: answered => watching.answered(answered),
    onBatch: metrics.batch,
    onRunning: running => yielding.running(running),
    onOutOfMemory(size) {
      registry.releaseWarm()
      scheduler.outOfMemory(size, dispatcher.stats().running)
    },
  })
  const scheduler = await createScheduler(
    operatingState(inForce, training),
    { dataDir: config.data, pool: limits, clock: systemClock, log },
    dispatcher.setLimits,
  )

  const keys = await openKeyStore({ dataDir: config.data, clock: systemClock })
  const invocations = await openInvocations({
    folder: join(config.data, 'invocations'),
    dispatcher,
    ttlMs: config.asyncTtl * 1000,
    limit: config.asyncLimit,
    maxBytes: config.asyncBytes,
    maxResultBytes: config.bodyLimit,
    callbackSecret: config.callbackSecret,
    clock: systemClock,
    log,
  })
  const schedules = await openFunctionSchedules({
    dataDir: config.data,
    clock: systemClock,
    log,
    call: (name, at) => callScheduled(dispatcher, name, at),
  })
  const samples = createSampleStore({
    dataDir: config.data,
    log,
    quota: { perLabel: config.samplesPerLabel, bytes: config.sampleBytes },
  })
  const watching = await openWatching({
    dataDir: config.data,
    registry,
    runSpare: dispatcher.runSpare,
    samples,
    onTruth: canaries.truth,
    retraining: () => retraining,
    clock: systemClock,
    log,
  })
  const schedule: Schedule = createSchedule({
    start: name => retraining.start(name, { by: 'schedule' }),
    log,
  })
  const threads = trainerThreads(inForce.points)
  const priority = trainerPriority(config, limits.slots)
  const yielding = createYielding({
    share: config.trainingShare,
    threads,
    priority,
    asks: mustAsk(provider, priority),
    crowdedFrom: wantEveryCore(poolOptions.intraOpThreads),
    pressure: () => {
      const { p95Ms, boundMs } = scheduler.view()
      const { queued, device } = dispatcher.stats()
      return { queued: device?.queued ?? queued, p95Ms: p95Ms ?? undefined, boundMs: boundMs ?? undefined }
    },
    clock: systemClock,
    log,
  })
  const retraining = await createRetraining({
    models: store,
    registry,
    canaries,
    samples,
    driftLevel: model => watching.drift.get(model)?.level ?? 'stable',
    dataDir: config.data,
    provider,
    threads,
    memoryBytes: () => trainerMemoryBytes(config),
    profiledMicroBatch(name) {
      const { trainer } = inForce.points.besideTraining
      return trainer?.function === name ? trainer.microBatch : undefined
    },
    launchTrainer: lowPriorityLauncher(priority),
    yielding,
    nextRun: schedule.nextRun,
    onTraining(active) {
      training = active
      scheduler.operate(operatingState(inForce, training))
      log.info({ training, ...dispatcher.stats() }, 'operating point')
    },
    onEnd: metrics.retraining,
    log,
  })

  const follow = (change: RegistryChange) => {
    const name = nameOf(change)
    const retraining = change.type === 'removed' ? undefined : change.entry.retraining
    metrics.reload({ function: name, outcome: change.type })
    try {
      schedule.set(name, retraining?.description.schedule)
    } catch (error) {
      log.error({ function: name, err: error }, 'a retraining is not scheduled')
    }
    const deployment = change.type === 'removed' ? undefined : change.entry.deployment
    if (unattended) void followClock(name, deployment?.description.schedule)
  }
  registry.onChange(follow)

  let watch: Watch | undefined
  let unattended = false
  const followClock = (name: string, wanted: CheckedSchedule | undefined) =>
    schedules
      .set(name, wanted)
      .catch(error => log.error({ function: name, err: error }, 'a function is not scheduled'))

  let state: 'starting' | 'ready' | 'closing' = 'starting'
  return {
    config,
    dispatcher,
    registry,
    retraining,
    models: createModelControl(store, registry, canaries),
    canaries,
    samples,
    keys,
    invocations,
    feedback: watching.feedback,
    drift: watching.drift,
    schedules,
    metrics,
    provider,
    profileKey,
    threads: modelThreads,
    profile: () =>
      describeProfile(inForce, {
        training,
        limits: scheduler.view(),
        ...dispatcher.stats(),
        threads: pool.stats().threads,
        models: memoryByModel(),
        serviceTimes: dispatcher.serviceTimes(),
      }),
    notReady: () => (state === 'ready' ? undefined : state),
    announce: lock.setUrl,
    async start() {
      await registry.start()
      inForce = await findProfile(config.profiles, profileKey())
      scheduler.operate(operatingState(inForce, training))
      log.info({ ...dispatcher.stats(), reason: inForce.reason }, 'profile')
      if (state === 'starting') state = 'ready'
      await canaries.start()
    },
    async workUnattended() {
      unattended = true
      canaries.beServed()
      for (const { name, deployment } of registry.list()) {
        await followClock(name, deployment?.description.schedule)
      }
      invocations.start()
    },
    watch() {
      watch ??= watchFunctions({ registry, functionsDir: config.functions, log })
    },
    async close() {
      state = 'closing'
      schedule.close()
      const unwatched = watch?.close()
      watching.stop()
      schedules.close()
      const drained = dispatcher.drain()
      await Promise.all([
        within(Promise.all([drained, invocations.close()]), config.shutdownGrace).then(outcome => {
          if (outcome !== 'late') return
          const { shutdownGrace } = config
          log.warn({ shutdownGrace }, 'requests were still in flight at the end of the grace')
        }),
        retraining.close(),
        unwatched,
      ])
      scheduler.close()
      await canaries.close()
      registry.close()
      await pool.close()
      await watching.close()
      await traffic.close()
      await lock.release()
    },
  }
}

const keepsOffDevice = (deployment: Deployment): boolean => placeOf(deployment) === 'host'

const nameOf = (change: RegistryChange) => (change.type === 'removed' ? change.name : change.entry.name)

/** Where passed tests of accelerators are remembered, so that the next start need not repeat them. */
export const providerMemory = (config: Config) => join(config.data, 'providers.json')

/** One line a request. Errors that are the function's or the server's fault carry their stack. */
function logInvocation(log: Logger, { error, queueMs, runMs, streamMs, ...end }: InvocationEnd): void {
  const fault =
    error instanceof CorunError ? error.status >= 500 && error.status !== 503 : error !== undefined
  const times = { queueMs: rounded(queueMs), runMs: rounded(runMs) }
  const line = { ...end, ...times, ...(streamMs === undefined ? {} : { streamMs: rounded(streamMs) }) }
  if (fault) log.error({ ...line, err: error }, 'invocation')
  else if (end.outcome === 'ok') log.info(line, 'invocation')
  else log.info({ ...line, detail: error instanceof Error ? error.message : undefined }, 'invocation')
}

/** What a misbehaving function may cost, and when a thread is replaced. */
function isolationLimits(config: Config) {
  const budget = config.memoryBudget ?? memoryBudgetBytes()
  return {
    deadlineGraceMs: config.deadlineGrace,
    taskMemoryBytes: config.threadMemory ?? Math.min(2 ** 30, budget / 4),
    wear: { reloads: config.threadReloads, residentBytes: budget },
  }
}
const rounded = (ms: number) => Math.round(ms * 100) / 100

function describeProfile({ profile, file, reason, points }: ProfileInForce, now: object): object {
  return { reason, file, ...now, points, profile }
}

/** Only what was measured can be held against the bound that was measured. Without a profile there is none. */
const isProfiled = ({ profile }: ProfileInForce, name: string): boolean =>
  profile === undefined || Object.hasOwn(profile.workload, name)
