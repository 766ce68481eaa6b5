/**
 * The drift of every model that serves: one detector a version, kept in `state/drift/<model>.json`, so that a restart
 * goes on where it was. A new version begins a new reference. How drift is found is in detector.ts.
 */
import { readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { CorunError } from '../core/errors.ts'
import type { ModelSaid } from '../core/messages.ts'
import type { CheckedDrift } from '../core/watching-schema.ts'
import type { Logger } from '../observe/log.ts'
import { createSerial } from '../state/serial.ts'
import { openState, type StateFile } from '../state/state-file.ts'
import {
  createDetector,
  type Detector,
  type DetectorState,
  type DetectorView,
  detectorStateSchema,
  startWith,
} from './detector.ts'
import type { DriftLevel } from './level.ts'
import type { Finding } from './look.ts'
import type { Observation } from './observation.ts'

const modelStateSchema = z.object({
  version: z.literal(1),
  function: z.string(),
  /** Content hash of the version that is watched. */
  sha256: z.string(),
  options: z.object({
    reference: z.int(),
    from: z.enum(['requests', 'pictures']).default('requests'),
    falseAlarms: z.number(),
  }),
  detector: detectorStateSchema.optional(),
})
type ModelState = z.output<typeof modelStateSchema>

export interface DriftView extends DetectorView {
  /** `<function>.<model name>`. */
  model: string
  function: string
  version: string
  /** Expected number of false alarms in 1,000 requests. */
  falseAlarms: number
}

export interface LevelChange {
  model: string
  function: string
  from: DriftLevel
  to: DriftLevel
  /** What weighed most. */
  finding: Finding | undefined
}

export interface DriftMonitor {
  observe(name: string, said: ModelSaid, options?: CheckedDrift): void
  /** The version's reference was made from pictures: requests are held against it from now on. */
  adopt(
    name: string,
    watched: { model: string; version: string },
    options: CheckedDrift,
    observations: readonly Observation[],
  ): void
  /** The truth about a request that this version answered. Another version's is not counted. */
  label(model: string, version: string, right: boolean): void
  list(): DriftView[]
  get(model: string): DriftView | undefined
  /** What comes now is the new normal: the reference is gathered anew. Throws `unknown-model`. */
  reset(model: string): Promise<DriftView>
  close(): Promise<void>
}

export interface DriftMonitorOptions {
  dataDir: string
  log: Logger
  onLevel?(change: LevelChange): void
  /** From save to save while requests come; a level that changes is saved at once. Default 300,000. */
  saveEveryMs?: number
}

interface Watched {
  state: ModelState
  detector: Detector
  level: DriftLevel
  dirty: boolean
}

export const defaultDrift: CheckedDrift = { reference: 1000, from: 'requests', falseAlarms: 1e-3 }

export async function createDriftMonitor({
  dataDir,
  log,
  onLevel = () => {},
  saveEveryMs = 300_000,
}: DriftMonitorOptions): Promise<DriftMonitor> {
  const folder = join(dataDir, 'state', 'drift')
  const watched = new Map<string, Watched>()
  const files = new Map<string, Promise<StateFile<ModelState>>>()
  const inTurn = createSerial()

  const begin = (state: Omit<ModelState, 'detector' | 'version'>, start?: DetectorState): Watched => ({
    state: { version: 1, ...state },
    detector: createDetector(state.options, start),
    level: 'stable',
    dirty: true,
  })

  for (const name of await readdir(folder).catch(() => [])) {
    const model = /^([^.].*)\.json$/.exec(name)?.[1]
    if (model === undefined) continue
    try {
      const { data } = await fileOf(model, undefined)
      const detector = createDetector(data.options, data.detector)
      watched.set(model, { state: data, detector, level: detector.view().level, dirty: false })
    } catch (error) {
      // Statistics can be gathered again: a server that does not start for want of them would be worse.
      log.error(
        { model, err: error },
        'what was known of drift cannot be read: the reference is gathered anew',
      )
      files.delete(model)
      await rename(join(folder, name), join(folder, `${name}.damaged`))
    }
  }
  const timer = setInterval(() => void save(), saveEveryMs).unref()

  function fileOf(model: string, initial: ModelState | undefined): Promise<StateFile<ModelState>> {
    const empty = { version: 1 as const, function: '', sha256: '', options: defaultDrift }
    const file =
      files.get(model) ?? openState(join(folder, `${model}.json`), modelStateSchema, initial ?? empty)
    files.set(model, file)
    // One that could not be opened is tried again the next time.
    file.catch(() => files.delete(model))
    return file
  }

  /** After what is being saved: whoever waits for it finds all on disk. */
  const save = (): Promise<void> => inTurn(saveDirty)
  async function saveDirty(): Promise<void> {
    for (const [model, one] of watched) {
      if (!one.dirty) continue
      one.dirty = false
      const state: ModelState = { ...one.state, detector: one.detector.state() }
      try {
        const file = await fileOf(model, state)
        await file.update(draft => Object.assign(draft, state))
      } catch (error) {
        one.dirty = true
        log.error({ model, err: error }, 'what is known of drift was not saved')
      }
    }
  }

  function changed(model: string, one: Watched, to: DriftLevel): void {
    one.dirty = true
    const from = one.level
    if (from === to) return
    one.level = to
    const [finding] = one.detector.view().findings
    const fields = { model, from, to, ...finding }
    if (to === 'stable') log.info(fields, 'drift: the model is stable again')
    else log.warn(fields, to === 'drifted' ? 'drift: requests are not what they were' : 'drift: a warning')
    void save()
    onLevel({ model, function: one.state.function, from, to, finding })
  }

  /** Another reference: whatever was found against the one of before is no more. */
  function replace(model: string, next: Watched): Watched {
    const from = watched.get(model)?.level ?? 'stable'
    watched.set(model, next)
    const { function: name } = next.state
    if (from !== 'stable') onLevel({ model, function: name, from, to: 'stable', finding: undefined })
    return next
  }

  const viewOf = (model: string, { state, detector }: Watched): DriftView => ({
    model,
    function: state.function,
    version: state.sha256,
    falseAlarms: state.options.falseAlarms,
    ...detector.view(),
  })

  return {
    observe(name, { model, version, ...observation }, options = defaultDrift) {
      let one = watched.get(model)
      const { state } = one ?? {}
      const same =
        state?.sha256 === version &&
        state.options.reference === options.reference &&
        state.options.from === options.from &&
        state.options.falseAlarms === options.falseAlarms
      if (one === undefined || !same) {
        one = replace(model, begin({ function: name, sha256: version, options }))
        log.info({ model, version, requests: options.reference }, 'drift: a reference is gathered')
      }
      changed(model, one, one.detector.observe(observation))
    },
    adopt(name, { model, version }, options, observations) {
      const known = watched.get(model)
      const labelled = known?.state.sha256 === version ? known.detector.state().labelled : undefined
      replace(model, begin({ function: name, sha256: version, options }, startWith(observations, labelled)))
      void save()
    },
    label(model, version, right) {
      const one = watched.get(model)
      if (one?.state.sha256 === version) changed(model, one, one.detector.label(right))
    },
    list: () => [...watched].map(([model, one]) => viewOf(model, one)),
    get(model) {
      const one = watched.get(model)
      return one && viewOf(model, one)
    },
    async reset(model) {
      const one = watched.get(model)
      if (one === undefined) throw new CorunError('unknown-model', `no drift is known of a model "${model}"`)
      const next = begin(one.state)
      watched.set(model, next)
      await save()
      return viewOf(model, next)
    },
    async close() {
      clearInterval(timer)
      await save()
    },
  }
}
