/** Opens a model in the engine, for serving. */
import { InferenceSession } from 'onnxruntime-node'
import type { Provider } from '../core/config.ts'

export interface SessionSettings {
  provider: Provider
  /** Threads inside one run; concurrency comes from the pool's threads. */
  intraOpThreads: number
}

/**
 * How many threads of one process may use a provider. Two inside WebGPU at once crash the process
 * (microsoft/onnxruntime#32561), and so do two that end at once, whose sessions go with them: one has the device.
 */
export function threadsFor(provider: Provider, wanted: number): number {
  return provider === 'webgpu' ? 1 : wanted
}

/** `content`: a file's path, or its bytes. The CPU takes what the provider cannot. Blocks its thread meanwhile. */
export function openSession(
  content: string | Uint8Array,
  { provider, intraOpThreads }: SessionSettings,
): Promise<InferenceSession> {
  // The two forms are overloads, which a union does not match.
  return InferenceSession.create(content as string, {
    executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'],
    intraOpNumThreads: intraOpThreads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
  })
}
