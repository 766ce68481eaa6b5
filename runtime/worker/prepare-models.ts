/**
 * Finds the form in which threads shall open each model of a deployment, once for a model, processor and engine: makes
 * the shared one, compares it with the plain one, and keeps it with the decision. What is kept can be made anew at any
 * time; the registry removes what nothing uses.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { InferenceSession } from 'onnxruntime-node'
import { z } from 'zod'
import type { DeployedModel, Deployment, PreparedModel } from '../core/deployment.ts'
import type { ThreadSettings } from '../core/messages.ts'
import { engineVersion, processorSignature } from '../device/engine.ts'
import { openAndOptimize, openOptimized, optimizedFiles } from '../device/session.ts'
import type { Logger } from '../observe/log.ts'
import { chooseForm, type FormFacts } from './choose-form.ts'
import { exposeModel, isWatched } from './feature-tap.ts'
import { near, noiseLike } from './row-check.ts'
import { trialFeeds } from './warm-up.ts'

export interface PrepareOptions {
  settings: ThreadSettings
  log: Logger
  /** Keeps the shared forms, a folder each. */
  folder: string
  inEngine<Result>(work: () => Promise<Result>): Promise<Result>
  /** Default: {@link chooseForm}. */
  choose?: typeof chooseForm
}

export async function prepareModels(
  deployment: Deployment,
  options: PrepareOptions,
): Promise<Record<string, PreparedModel>> {
  const prepared: Record<string, PreparedModel> = {}
  for (const [name, model] of Object.entries(deployment.models)) {
    prepared[name] = await prepareModel(deployment, model, options)
  }
  return prepared
}

async function prepareModel(
  deployment: Deployment,
  model: DeployedModel,
  options: PrepareOptions,
): Promise<PreparedModel> {
  const { settings, log, folder, choose = chooseForm } = options
  const fileBytes = (await stat(model.file)).size
  const early = choose({ provider: settings.provider, fileBytes })
  if (early !== 'try') return { ...early, weightBytes: fileBytes }
  const entry = entryName(model, isWatched(deployment, model), settings)
  const present = await readEntry(folder, entry).catch(error => {
    if (error.code !== 'ENOENT') log.warn({ model: model.id, err: error }, 'its shared form is made anew')
  })
  if (present !== undefined) return present
  try {
    const made = await makeEntry(deployment, model, { ...options, entry, fileBytes })
    log.info({ model: model.id, form: made.form, why: made.why }, 'form of a model')
    return made
  } catch (error) {
    const why = `the shared form cannot be made: ${error instanceof Error ? error.message : String(error)}`
    log.warn({ model: model.id, err: error }, 'its shared form cannot be made; the plain one serves')
    return { form: 'plain', why, weightBytes: fileBytes }
  }
}

function entryName({ sha256 }: DeployedModel, watching: boolean, { provider }: ThreadSettings): string {
  const key = [formatVersion, watching, provider, engineVersion(), processorSignature()]
  const hash = createHash('sha256').update(JSON.stringify(key)).digest('hex')
  return `${sha256.slice(0, 32)}-${hash.slice(0, 16)}`
}

/** Of the decision and of what it is made by. */
const formatVersion = 1
const decisionFile = 'decision.json'

const decisionSchema = z.object({
  version: z.literal(formatVersion),
  form: z.enum(['shared', 'plain']),
  why: z.string(),
  weightBytes: z.int(),
  features: z.object({ output: z.string(), pooled: z.boolean() }).optional(),
  /** SHA-256 by file, hexadecimal: a file that is damaged would crash the process or answer wrongly. */
  hashes: z.record(z.string(), z.string()),
})
type Decision = z.output<typeof decisionSchema>

async function readEntry(parent: string, entry: string): Promise<PreparedModel> {
  const folder = join(parent, entry)
  const decision = decisionSchema.parse(JSON.parse(await readFile(join(folder, decisionFile), 'utf8')))
  for (const [file, hash] of Object.entries(decision.hashes)) {
    if ((await hashFile(join(folder, file))) !== hash) throw new Error(`${join(folder, file)} is damaged`)
  }
  return preparedAs(decision, parent, entry)
}

function preparedAs(decision: Decision, parent: string, entry: string): PreparedModel {
  const { form, why, weightBytes, features } = decision
  const prepared = { form, why, weightBytes, entry }
  if (form === 'plain') return prepared
  return { ...prepared, folder: join(parent, entry), ...(features === undefined ? {} : { features }) }
}

async function makeEntry(
  deployment: Deployment,
  model: DeployedModel,
  options: PrepareOptions & { entry: string; fileBytes: number },
): Promise<PreparedModel> {
  const { folder, entry, fileBytes, settings, choose = chooseForm } = options
  const place = join(folder, entry)
  const temporary = join(folder, `.${entry}.tmp`)
  await rm(temporary, { recursive: true, force: true })
  await mkdir(temporary, { recursive: true })
  try {
    const exposed = isWatched(deployment, model) ? await exposeModel(model) : undefined
    const feeds = trialFeeds(model, deployment.description.input)
    const trial = await tryForms(exposed?.bytes ?? model.file, feeds, temporary, options)
    const choice = choose({ provider: settings.provider, fileBytes, trial })
    if (choice === 'try') throw new Error('a trial did not tell which form to take')
    const isShared = choice.form === 'shared'
    const hashes: Decision['hashes'] = {}
    for (const file of Object.values(optimizedFiles)) {
      if (isShared) hashes[file] = await hashFile(join(temporary, file))
      else await rm(join(temporary, file), { force: true })
    }
    const decision: Decision = {
      version: formatVersion,
      ...choice,
      weightBytes: isShared ? trial.weightBytes : fileBytes,
      ...(isShared && exposed ? { features: { output: exposed.output, pooled: exposed.pooled } } : {}),
      hashes,
    }
    await writeFile(join(temporary, decisionFile), JSON.stringify(decision))
    // Threads that have mapped what was there keep it until they release it.
    await rm(place, { recursive: true, force: true })
    await rename(temporary, place)
    return preparedAs(decision, folder, entry)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

type Trial = NonNullable<FormFacts['trial']>

/** Leaves the shared form in `folder`. */
async function tryForms(
  content: string | Uint8Array,
  feeds: ReturnType<typeof trialFeeds>,
  folder: string,
  { settings, inEngine }: PrepareOptions,
): Promise<Trial> {
  const plain = await inEngine(() => openAndOptimize(content, settings, folder))
  try {
    const weights = await stat(join(folder, optimizedFiles.weights)).catch(() => undefined)
    const shared = await inEngine(() => openOptimized(folder, settings))
    try {
      const found = feeds && (await compare(plain, shared, feeds, inEngine))
      const unknown = { same: undefined, plainMs: [], sharedMs: [] }
      return { weightBytes: weights?.size ?? 0, ...(found ?? unknown) }
    } finally {
      await inEngine(() => shared.release())
    }
  } finally {
    await inEngine(() => plain.release())
  }
}

/** Of the largest value: more than another order of summation makes. */
const tolerance = 1e-5

const rounds = 5
/** Of a slow model fewer rounds tell enough. */
const patienceMs = 3000

/** Undefined when the model does not take these feeds. */
async function compare(
  plain: InferenceSession,
  shared: InferenceSession,
  feeds: NonNullable<ReturnType<typeof trialFeeds>>,
  inEngine: PrepareOptions['inEngine'],
): Promise<Omit<Trial, 'weightBytes'> | undefined> {
  const input = noiseLike(feeds, 1)
  const expected = await inEngine(() => plain.run(input)).catch(() => undefined)
  if (expected === undefined) return undefined
  const got = await inEngine(() => shared.run(input))
  const same = Object.entries(expected).every(([name, value]) => near(got[name], value, tolerance))
  const timed = async (session: InferenceSession) => {
    const startedAt = performance.now()
    await inEngine(() => session.run(input))
    return performance.now() - startedAt
  }
  const plainMs: number[] = []
  const sharedMs: number[] = []
  const startedAt = performance.now()
  for (let round = 0; round < rounds; round += 1) {
    if (round > 0 && performance.now() - startedAt > patienceMs) break
    plainMs.push(await timed(plain))
    sharedMs.push(await timed(shared))
  }
  return { same, plainMs, sharedMs }
}

async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file, { highWaterMark: 2 ** 20 }), hash)
  return hash.digest('hex')
}
