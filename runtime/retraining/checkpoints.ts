/** What an interrupted run needs to go on: a folder a function, `checkpoints/<function>`, with its job and the trainer's files. */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type TrainerJob, trainerJobSchema } from '../core/trainer-messages.ts'
import { makeFolder, writeDurably } from '../state/durable-file.ts'
import { readCheckpoint } from '../training/checkpoint.ts'

export interface Checkpoints {
  folder(name: string): string
  /** An empty folder for a run that begins. */
  begin(name: string, job: TrainerJob): Promise<void>
  /** Of the run that was interrupted; undefined: it had not begun, or its folder is damaged. */
  job(name: string, runId: string): Promise<TrainerJob | undefined>
  /** The same folder for the run that goes on. */
  take(name: string, job: TrainerJob): Promise<void>
  /** Steps that need not be made again. */
  step(name: string): Promise<number>
  remove(name: string): Promise<void>
  /** Removes the folders of all others. */
  keepOnly(names: ReadonlySet<string>): Promise<void>
}

export async function openCheckpoints(dataDir: string): Promise<Checkpoints> {
  const root = join(dataDir, 'checkpoints')
  await makeFolder(root)
  const folder = (name: string) => join(root, name)
  const jobFile = (name: string) => join(folder(name), 'job.json')
  const remove = (name: string) => rm(folder(name), { recursive: true, force: true })
  return {
    folder,
    remove,
    async begin(name, job) {
      await remove(name)
      await makeFolder(folder(name))
      await writeDurably(jobFile(name), JSON.stringify(job))
    },
    take: (name, job) => writeDurably(jobFile(name), JSON.stringify(job)),
    async job(name, runId) {
      try {
        const job = trainerJobSchema.parse(JSON.parse(await readFile(jobFile(name), 'utf8')))
        // A kill may have come before the run that goes on was recorded.
        return job.runId === runId || job.continues === runId ? job : undefined
      } catch {
        return undefined
      }
    },
    step: async name => (await readCheckpoint(join(folder(name), 'checkpoint')))?.next.step ?? 0,
    async keepOnly(names) {
      for (const name of await readdir(root)) if (!names.has(name)) await remove(name)
    },
  }
}
