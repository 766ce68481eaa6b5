/** Whether files are what they were, by what the file system says of them; their content is not read. */
import { stat } from 'node:fs/promises'

/** By absolute path. */
export type Fingerprints = ReadonlyMap<string, string>

const absent = 'absent'
const written = 'written meanwhile'

/** A file that was written after `until` (ms since 1970) counts as changed with the next look. */
export async function takeFingerprints(
  files: Iterable<string>,
  until = Number.POSITIVE_INFINITY,
): Promise<Fingerprints> {
  const taken = [...new Set(files)].map(async file => {
    const found = await stat(file, { bigint: true }).catch(() => undefined)
    if (found === undefined) return [file, absent] as const
    const late = Number(found.mtimeMs) > until
    return [file, late ? written : `${found.ino} ${found.size} ${found.mtimeNs}`] as const
  })
  return new Map(await Promise.all(taken))
}

/** Files that are not what they were; one that is looked at for the first time is no change. */
export function changedSince(before: Fingerprints, now: Fingerprints): Set<string> {
  return new Set(
    [...now].flatMap(([file, fingerprint]) => {
      const earlier = before.get(file)
      return earlier === undefined || earlier === fingerprint ? [] : [file]
    }),
  )
}
