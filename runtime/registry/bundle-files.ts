/** The bundles on disk: each goes when no deployment that is loaded was made of it. Making them is build.ts's. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Deployment } from '../core/deployment.ts'

export interface BundleFiles {
  /** The deployment needs its bundle from now on. */
  keep(deployment: Deployment): void
  /** It is loaded in no thread any more. */
  drop(deploymentId: string): Promise<void>
  /** Removes what earlier processes left; `others` are needed beside the bundles that are kept. */
  sweep(others: readonly string[]): Promise<void>
}

export function createBundleFiles(folder: string): BundleFiles {
  const kept = new Map<string, string>()
  const isKept = (file: string) => [...kept.values()].includes(file)
  return {
    keep: ({ id, bundle }) => void kept.set(id, bundle),
    async drop(id) {
      const bundle = kept.get(id)
      kept.delete(id)
      if (bundle !== undefined && !isKept(bundle)) await rm(bundle, { force: true })
    },
    async sweep(others) {
      const files = await readdir(folder).catch(() => [])
      for (const file of files.map(name => join(folder, name))) {
        if (!isKept(file) && !others.includes(file)) await rm(file, { force: true, recursive: true })
      }
    },
  }
}
