/** Which functions are to be deployed anew, and which are gone: pure, from what is known and what has happened. */
import { sep } from 'node:path'
import type { FunctionSource } from './discover.ts'

/** A function as it was looked at last. */
export interface WatchedFunction {
  source: FunctionSource
  /** Everything that it was made of: inputs of its bundles, models, labels. What is missing may be among them. */
  files: ReadonlySet<string>
  /** How its last deployment failed; undefined when it did not. */
  failure?: 'unresolved' | 'other' | undefined
}

export interface ReloadFacts {
  /** What lies in the functions folder now. */
  found: readonly FunctionSource[]
  /** Files that were made, written or removed, absolute. */
  changed: ReadonlySet<string>
  /** Whether what failed for want of a file is tried again: a package may have been installed anywhere. */
  retry: boolean
}

export interface ReloadPlan {
  deploy: FunctionSource[]
  remove: string[]
}

export function planReload(known: ReadonlyMap<string, WatchedFunction>, facts: ReloadFacts): ReloadPlan {
  const names = new Set(facts.found.map(({ name }) => name))
  return {
    deploy: facts.found.filter(source => isDue(source, known.get(source.name), facts)),
    remove: [...known.keys()].filter(name => !names.has(name)),
  }
}

function isDue(
  source: FunctionSource,
  known: WatchedFunction | undefined,
  { changed, retry }: ReloadFacts,
): boolean {
  if (known === undefined) return true
  if (known.source.file !== source.file || known.source.retraining !== source.retraining) return true
  for (const path of changed) if (known.files.has(path)) return true
  if (known.failure === undefined) return false
  // What it lacks may be a file that nobody knew of, and that has come.
  if (retry && known.failure === 'unresolved') return true
  return [...changed].some(path => path === source.folder || path.startsWith(source.folder + sep))
}
