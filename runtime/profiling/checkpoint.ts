/** What an interrupted profile has measured, kept beside the profiles until it is whole. */
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { writeDurably } from '../state/durable-file.ts'
import type { Measured } from './bounds.ts'
import { type ProfileKey, profileFileName, profileSchema, profileVersion } from './profile.ts'
import type { ProfileOptions } from './profile-box.ts'
import type { SearchMode } from './search.ts'
import type { SearchSpace } from './space.ts'

/** What a profile measures, and within which bounds: points of another are of no use. */
export interface Subject {
  key: ProfileKey
  /** Shares of the functions. */
  workload: Record<string, number>
  goal: ProfileOptions['goal']
  space: SearchSpace
  mode: SearchMode
  windowMs: number
}

export interface Checkpoint {
  /** Of an interrupted profile of the same subject, less than a day old; undefined when there is none. */
  known: Measured | undefined
  save(measured: Measured): Promise<void>
  /** The profile is whole. */
  remove(): Promise<void>
}

const keptMs = 24 * 3600 * 1000

const checkpointSchema = z.object({
  version: z.literal(profileVersion),
  savedAt: z.number(),
  subject: z.unknown(),
  measured: profileSchema.pick({ points: true, trainingAlone: true }),
})

export async function openCheckpoint(
  folder: string,
  subject: Subject,
  now: () => number = Date.now,
): Promise<Checkpoint> {
  const file = join(folder, `${profileFileName(subject.key.device, Object.keys(subject.workload))}.partial`)
  const plain: unknown = JSON.parse(JSON.stringify(subject))
  return {
    known: await read(file, plain, now()),
    async save(measured) {
      await mkdir(folder, { recursive: true })
      await writeDurably(file, JSON.stringify({ version: profileVersion, savedAt: now(), subject, measured }))
    },
    remove: () => rm(file, { force: true }),
  }
}

/** A file that cannot be read, or is of something else, costs measurements and nothing more. */
async function read(file: string, subject: unknown, now: number): Promise<Measured | undefined> {
  try {
    const found = checkpointSchema.parse(JSON.parse(await readFile(file, 'utf8')))
    const fits = isDeepStrictEqual(found.subject, subject) && now - found.savedAt < keptMs
    return fits ? found.measured : undefined
  } catch {
    return undefined
  }
}
