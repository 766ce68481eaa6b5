/** Everything that watches answers, wired: drift, captures, feedback, and the retraining that drift starts. */
import type { Clock } from '../core/clock.ts'
import type { RunSpare } from '../dispatch/spare-runs.ts'
import { createFromPictures } from '../drift/from-pictures.ts'
import { createDriftMonitor, type DriftMonitor } from '../drift/monitor.ts'
import { createWatch, type Watch, type WatchOptions } from '../drift/watch.ts'
import type { Logger } from '../observe/log.ts'
import type { Registry } from '../registry/registry.ts'
import { createDriftTrigger } from '../retraining/drift-trigger.ts'
import { pictureSubject } from '../retraining/picture-subject.ts'
import type { Retraining } from '../retraining/retraining.ts'
import { createCaptureStore } from '../samples/capture-store.ts'
import type { SampleStore } from '../samples/sample-store.ts'

export interface WatchingOptions {
  dataDir: string
  registry: Pick<Registry, 'get' | 'list' | 'onChange'>
  runSpare: RunSpare
  samples: SampleStore
  /** See drift/watch.ts. */
  onTruth: NonNullable<WatchOptions['onTruth']>
  /** Asked for when drift may start a run. */
  retraining(): Pick<Retraining, 'start' | 'get'>
  clock: Clock
  log: Logger
}

export interface Watching extends Watch {
  drift: DriftMonitor
  /** Starts no retraining from now on. */
  stop(): void
  close(): Promise<void>
}

/** From one look for captures that have expired to the next. */
const expireEveryMs = 600_000

export async function openWatching(options: WatchingOptions): Promise<Watching> {
  const { dataDir, registry, runSpare, samples, onTruth, retraining, clock, log } = options
  const captures = createCaptureStore({ dataDir, clock, log })
  const drift = await createDriftMonitor({
    dataDir,
    log,
    onLevel: ({ to }) => void (to === 'drifted' && trigger.check()),
  })
  const trigger = createDriftTrigger({
    candidates: () =>
      registry.list().flatMap(({ name, retraining: deployed }) => {
        if (deployed?.description.onDrift === undefined) return []
        const { active, runs } = retraining().get(name)
        const startedAt = (active ?? runs[0])?.startedAt
        return {
          name,
          drifted: drift.get(`${name}.${deployed.description.model}`)?.level === 'drifted',
          cooldownHours: deployed.description.onDrift.cooldownHours,
          lastStartedAt: startedAt === undefined ? undefined : Date.parse(startedAt),
        }
      }),
    start: name => retraining().start(name, { by: 'drift' }),
    clock,
    log,
  })
  const watch = createWatch({
    monitor: drift,
    captures,
    samples,
    serving: name => {
      const { deployment, retraining } = registry.get(name) ?? {}
      return { deployment, labelled: retraining?.description.model }
    },
    onTruth,
    log,
  })
  const pictures = createFromPictures({
    monitor: drift,
    subject: name => pictureSubject(registry.get(name)),
    run: runSpare,
    log,
  })
  const unfollow = registry.onChange(change => {
    if (change.type === 'deployed') void pictures.make(change.entry.name)
  })
  const expire = () =>
    void captures.expire().catch(error => log.error({ err: error }, 'captured pictures were not expired'))
  expire()
  const timer = setInterval(expire, expireEveryMs).unref()
  return {
    feedback: watch.feedback,
    answered(request) {
      try {
        watch.answered(request)
      } catch (error) {
        // Whoever asked has an answer: what is learned from it must not take it away.
        log.error({ requestId: request.requestId, err: error }, 'an answer was not watched')
      }
    },
    drift,
    stop() {
      trigger.close()
      clearInterval(timer)
      unfollow()
    },
    async close() {
      await pictures.close()
      await drift.close()
    },
  }
}
