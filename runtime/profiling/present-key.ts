/** The key that a profile of this box, this provider and these models would have now. */
import { cpus } from 'node:os'
import { cores } from '../device/cores.ts'
import { engineVersion } from '../device/engine.ts'
import type { ProfileKey } from './profile.ts'

export function presentKey(provider: string, models: Record<string, string>): ProfileKey {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor'
  return {
    device: `${model} x${cores()} ${provider}`,
    provider,
    onnxruntime: engineVersion(),
    models,
  }
}
