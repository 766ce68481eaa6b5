/** A retraining with real state, stores and child processes; only the trainer's script and the registry are stand-ins. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createCanaries } from '../../runtime/canary/canaries.ts'
import { type Clock, systemClock } from '../../runtime/core/clock.ts'
import { image } from '../../runtime/core/definition.ts'
import { checkRetraining } from '../../runtime/core/definition-schema.ts'
import type { DeployedRetraining, Deployment } from '../../runtime/core/deployment.ts'
import type { CanaryOptions } from '../../runtime/core/retraining-definition.ts'
import { openModelStore } from '../../runtime/models/model-store.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import { createModelControl } from '../../runtime/retraining/model-control.ts'
import type { RetrainingRegistry } from '../../runtime/retraining/registry.ts'
import { createRetraining, type RetrainingOptions } from '../../runtime/retraining/retraining.ts'
import { createSampleStore } from '../../runtime/samples/sample-store.ts'
import { createTrainerLauncher } from '../../runtime/training/launch.ts'
import { createYielding } from '../../runtime/yielding/yielding.ts'

const fakeTrainer = fileURLToPath(new URL('fake-trainer.mjs', import.meta.url))
export const modelId = 'scene.classes'

export interface HarnessOptions {
  dataDir?: string
  samples?: number
  /** Whether `other` has samples. Default true. */
  other?: boolean
  switchModel?: RetrainingRegistry['switchModel']
  stopGraceMs?: number
  onTraining?: RetrainingOptions['onTraining']
  oomKills?: () => number | undefined
  /** The trainer asks before each step, of a box that is as busy as this says. */
  queued?: () => number
  driftLevel?: NonNullable<RetrainingOptions['driftLevel']>
  /** What the definition says about a trial. */
  canary?: CanaryOptions
  /** Awaited before a candidate is beside what serves. */
  deployBeside?: () => Promise<void>
  clock?: Clock
  /** From look to look at the time of a trial. */
  lookEveryMs?: number
  createId?: () => string
}

/** `script`: what the trainer does, as fake-trainer.mjs reads it. A function `scene` and one `other` share it. */
export async function createHarness(script: string, options: HarnessOptions = {}) {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'corun-retraining-')))
  const base = join(dataDir, 'base.onnx')
  await mkdir(dataDir, { recursive: true })
  await writeFile(base, 'base weights')
  const models = await openModelStore({ dataDir, log: silentLogger })
  const served = await models.adopt(modelId, base)
  const samples = createSampleStore({ dataDir, log: silentLogger })
  for (let n = 0; n < (options.samples ?? 60); n += 1) {
    const body = new TextEncoder().encode(`picture ${n}`)
    await samples.add({ function: 'scene', label: n % 2 ? '0' : '180', body, format: 'jpeg' })
    if (options.other !== false)
      await samples.add({ function: 'other', label: n % 2 ? '0' : '180', body, format: 'jpeg' })
  }

  const names = ['scene', 'other']
  const switched: string[] = []
  const registry: RetrainingRegistry = {
    get: name => (names.includes(name) ? found(name) : name === 'plain' ? { name } : undefined),
    holdBundle: () => () => {},
    list: () => names.map(name => ({ ...found(name), name })),
    async switchModel(id, version, commit) {
      await (options.switchModel ?? ((_, __, save) => save()))(id, version, commit)
      switched.push(version.sha256)
      tried = undefined
      for (const listener of listeners) listener({ name: 'scene' })
    },
  }
  /** What is loaded beside the version that serves. */
  let tried: Deployment | undefined
  const listeners: ((change: { name: string }) => void)[] = []
  const canaries = await createCanaries({
    dataDir,
    models,
    registry: {
      ...registry,
      async deployBeside(_, version) {
        if (options.deployBeside !== undefined) await options.deployBeside()
        tried = { ...deployment('scene'), id: `tried ${version.sha256}` }
        return tried
      },
      beside: () => tried,
      endBeside() {
        tried = undefined
      },
      onChange(listener) {
        listeners.push(listener)
        return () => {}
      },
    },
    clock: options.clock ?? systemClock,
    ...(options.lookEveryMs === undefined ? {} : { everyMs: options.lookEveryMs }),
    log: silentLogger,
  })
  const found = (name: string) => ({ name, deployment: deployment(name), retraining: retrainingOf(name) })
  const deployment = (name: string): Deployment => ({
    id: 'd1',
    function: name,
    bundleHash: 'b'.repeat(64),
    bundle: '',
    description: {
      form: 'handler',
      timeoutMs: 1000,
      input: { ...image({ width: 4, height: 4 }), background: [0, 0, 0], mean: [0, 0, 0], std: [1, 1, 1] },
      outputSchema: undefined,
      models: {},
    },
    models: {
      classes: {
        ...served,
        sha256: models.get(modelId).current,
        id: modelId,
        labels: ['0', '180'],
        inputs: [{ name: 'x', type: 'float32', dims: [null, 3, 4, 4] }],
        outputs: [{ name: 'y', activation: 'softmax' }],
      },
    },
  })
  const { trainable: _, ...description } = checkRetraining('scene', {
    model: 'classes',
    ...(options.canary === undefined ? {} : { canary: options.canary }),
  })
  const retrainingOf = (name: string): DeployedRetraining => ({
    function: name,
    bundle: script,
    folder: dataDir,
    description: { ...description, trainable: 'all' },
  })

  /** Process ids of the trainers, and a way to wait for the next. */
  const pids: number[] = []
  let onPid: (pid: number) => void = () => {}
  const launch = createTrainerLauncher((command, args) => ({
    command,
    args: [fakeTrainer, args.at(-1) ?? ''],
  }))
  const events = new Map<string, () => void>()
  const retraining = await createRetraining({
    registry,
    models,
    canaries,
    samples,
    dataDir,
    launchTrainer: (jobFile, onEvent) => {
      const trainer = launch(jobFile, event => {
        onEvent(event)
        events.get(event.type)?.()
      })
      if (trainer.pid !== undefined) pids.push(trainer.pid)
      onPid(trainer.pid ?? 0)
      return trainer
    },
    onTraining: options.onTraining ?? (() => {}),
    ...(options.driftLevel ? { driftLevel: options.driftLevel } : {}),
    ...(options.oomKills ? { oomKills: options.oomKills } : {}),
    ...(options.createId ? { createId: options.createId } : {}),
    yielding: createYielding({
      share: 0,
      threads: 1,
      priority: { how: 'none', niceness: 0, switches: false, holds: false },
      asks: options.queued !== undefined,
      pressure: () => ({ queued: options.queued?.() ?? 0, p95Ms: undefined, boundMs: undefined }),
      clock: systemClock,
      log: silentLogger,
    }),
    log: silentLogger,
    provider: 'cpu',
    threads: 1,
    stopGraceMs: options.stopGraceMs ?? 5000,
  })
  return {
    dataDir,
    models,
    samples,
    retraining,
    canaries: { ...canaries, deploymentOf: (_: string) => tried?.id },
    control: createModelControl(models, registry, canaries),
    serving: () => deployment('scene'),
    switched,
    pids,
    event: (type: string) => new Promise<void>(resolve => events.set(type, resolve)),
    nextPid: () =>
      new Promise<number>(resolve => {
        onPid = resolve
      }),
    /** Starts a run of `scene` and answers its record when it is over. */
    async run() {
      await retraining.start('scene')
      await retraining.idle()
      return retraining.get('scene').runs[0]
    },
  }
}
