/**
 * The form in which threads open each model, found once, and what is kept of it on disk: each goes when no deployment
 * that is loaded uses it. Finding it is a task of a thread (worker/prepare-models.ts).
 */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { DeployedModel, Deployment, PreparedModel } from '../core/deployment.ts'
import type { Logger } from '../observe/log.ts'
import type { Pool } from '../pool/pool.ts'
import { createSerial } from '../state/serial.ts'

export interface SessionFiles {
  /** The deployment with the form of each of its models, which it needs from now on. */
  prepare(deployment: Deployment): Promise<Deployment>
  /** It is loaded in no thread any more. */
  drop(deploymentId: string): Promise<void>
  /** Removes what earlier processes left and nothing uses. */
  sweep(): Promise<void>
}

export function createSessionFiles(folder: string, pool: Pick<Pool, 'run'>, log: Logger): SessionFiles {
  /** By what a form depends on. */
  const found = new Map<string, PreparedModel>()
  /** Names in `folder`, by deployment. */
  const used = new Map<string, Set<string>>()
  /** One writer. */
  const inTurn = createSerial()
  const isUsed = (entry: string) => [...used.values()].some(entries => entries.has(entry))

  async function find(deployment: Deployment): Promise<Record<string, PreparedModel>> {
    const known: Record<string, PreparedModel> = {}
    for (const [name, model] of Object.entries(deployment.models)) {
      const form = found.get(keyOf(deployment, model))
      if (form !== undefined && (await isThere(form))) known[name] = form
    }
    if (Object.keys(deployment.models).every(name => name in known)) return known
    const reply = await pool.run<'prepare'>({ type: 'prepare', deployment, folder })
    if (reply.ok) return reply.result.models
    log.warn({ deployment: deployment.id, err: reply.error }, 'models are not shared by threads')
    return {}
  }

  async function prepare(deployment: Deployment): Promise<Deployment> {
    const forms = await find(deployment)
    const entries = new Set(Object.values(forms).flatMap(({ entry }) => entry ?? []))
    used.set(deployment.id, entries)
    const models = Object.entries(deployment.models).map(([name, { prepared: _, ...model }]) => {
      const prepared = forms[name]
      if (prepared === undefined) return [name, model] as const
      found.set(keyOf(deployment, model), prepared)
      return [name, { ...model, prepared }] as const
    })
    return { ...deployment, models: Object.fromEntries(models) }
  }

  return {
    prepare: deployment => inTurn(() => prepare(deployment)),
    drop: id =>
      inTurn(async () => {
        const entries = used.get(id) ?? []
        used.delete(id)
        for (const entry of entries) {
          if (isUsed(entry)) continue
          for (const [key, form] of found) if (form.entry === entry) found.delete(key)
          await rm(join(folder, entry), { recursive: true, force: true })
        }
      }),
    sweep: () =>
      inTurn(async () => {
        for (const entry of await readdir(folder).catch(() => [])) {
          if (!isUsed(entry)) await rm(join(folder, entry), { recursive: true, force: true })
        }
      }),
  }
}

/** What the form of a model depends on, on one box. */
const keyOf = ({ description }: Deployment, { sha256, labels }: DeployedModel) =>
  JSON.stringify([sha256, labels.length > 0, description.drift !== false, description.input])

const isThere = ({ folder }: PreparedModel) =>
  folder === undefined ||
  stat(folder).then(
    () => true,
    () => false,
  )
