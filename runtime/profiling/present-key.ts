/** The key that a profile of this box, this provider and these models would have now. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus } from 'node:os'
import type { ProfileKey } from './profile.ts'

/** Version of the installed engine: its package.json is the one place that says it without loading the engine. */
function engineVersion(): string {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node/package.json')
  return JSON.parse(readFileSync(entry, 'utf8')).version
}

export function presentKey(provider: string, models: Record<string, string>): ProfileKey {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor'
  return {
    device: `${model} x${availableParallelism()} ${provider}`,
    provider,
    onnxruntime: engineVersion(),
    models,
  }
}
