/** Profile files: written whole, read with a check, and the newest that fits is the one in force. */
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type OperatingPoints, safeOperatingPoints } from '../core/config.ts'
import { issuesText } from '../core/issues-text.ts'
import { cores } from '../device/cores.ts'
import {
  type Profile,
  type ProfileKey,
  profileFileName,
  profileSchema,
  profileVersion,
  staleReason,
} from './profile.ts'
import { profileReport } from './profile-report.ts'

/** Writes the profile and, beside it, its report for people. Answers the profile's path. */
export async function writeProfile(folder: string, profile: Profile): Promise<string> {
  await mkdir(folder, { recursive: true })
  const file = join(folder, profileFileName(profile.key.device, Object.keys(profile.workload)))
  await writeWhole(file.replace(/\.json$/, '.html'), profileReport(profile))
  await writeWhole(file, `${JSON.stringify(profile, null, 2)}\n`)
  return file
}

async function writeWhole(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`
  await writeFile(temporary, text)
  await rename(temporary, file)
}

/** What the server runs by, and why. */
export interface ProfileInForce {
  points: OperatingPoints
  file?: string
  profile?: Profile
  /** In words: the file that fits, or why none does and what the default is. */
  reason: string
}

/** Reads every profile of the folder and takes the newest that fits; a file that cannot be read is passed over and named. */
export async function findProfile(folder: string, key: ProfileKey): Promise<ProfileInForce> {
  const names = await readdir(folder).catch(() => [])
  const unfit: string[] = []
  const fitting: { file: string; profile: Profile }[] = []
  for (const name of names.filter(name => name.endsWith('.json'))) {
    const file = join(folder, name)
    const profile = await readProfile(file)
    if (typeof profile === 'string') {
      unfit.push(`${name} ${profile}`)
      continue
    }
    const reason = staleReason(profile.key, key)
    if (reason === undefined) fitting.push({ file, profile })
    else unfit.push(`${name}: ${reason}`)
  }
  fitting.sort((a, b) => b.profile.createdAt.localeCompare(a.profile.createdAt))
  const newest = fitting[0]
  if (newest === undefined) {
    const found = unfit.length === 0 ? 'there is none' : unfit.join('; ')
    return {
      points: safeOperatingPoints(cores()),
      reason: `no profile fits this box (${found}), so a safe default is used; run corun profile`,
    }
  }
  const { alone, besideTraining } = newest.profile
  return { ...newest, points: { alone, besideTraining }, reason: `measured profile ${newest.file}` }
}

/** Why the file is of no use, in words that follow its name, or what it holds. */
async function readProfile(file: string): Promise<Profile | string> {
  let value: unknown
  try {
    value = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    return `is not a profile: ${error instanceof Error ? error.message : error}`
  }
  const { data: other } = versionSchema.safeParse(value)
  if (other !== undefined && other.version !== profileVersion) {
    return `has version ${other.version}, this corun reads ${profileVersion}: measure again`
  }
  const { data, error } = profileSchema.safeParse(value)
  return data ?? `is not a profile: ${issuesText(error)}`
}

const versionSchema = z.object({ version: z.number() })
