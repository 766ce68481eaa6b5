/** The bundles on disk: each goes when nobody needs it. Making them is build.ts's. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

export interface BundleFiles {
  /** `user` needs this bundle from now on, and no other. */
  keep(user: string, bundle: string): void
  /** `user` needs none any more. */
  drop(user: string): void
  /** Removes what nobody needs, of earlier processes too; `others` are needed as well. Not while bundles are being made. */
  sweep(others: readonly string[]): Promise<void>
}

export function createBundleFiles(folder: string): BundleFiles {
  const kept = new Map<string, string>()
  return {
    keep: (user, bundle) => void kept.set(user, bundle),
    drop: user => void kept.delete(user),
    async sweep(others) {
      const needed = new Set([...kept.values(), ...others])
      const files = (await readdir(folder).catch(() => [])).map(name => join(folder, name))
      const gone = files.filter(file => !needed.has(file))
      await Promise.all(gone.map(file => rm(file, { force: true, recursive: true })))
    },
  }
}
