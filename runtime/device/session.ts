/** Opens a model in the engine, for serving: as it is, or optimized before, its weights in a file that threads share. */
import { join } from 'node:path'
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

export const takesOneThread = (provider: Provider): boolean => threadsFor(provider, 2) === 1

/** `content`: a file's path, or its bytes. The CPU takes what the provider cannot. Blocks its thread meanwhile. */
export function openSession(
  content: string | Uint8Array,
  settings: SessionSettings,
): Promise<InferenceSession> {
  return create(content, { ...optionsOf(settings), graphOptimizationLevel: 'all' })
}

/** Of an optimized model, in a folder of its own. */
export const optimizedFiles = { model: 'model.onnx', weights: 'weights.bin' } as const

/**
 * The same, and leaves the optimized model in `folder`. It fits this engine, provider and processor alone. Saving the
 * packed weights too (`save_external_prepacked_constant_initializers`) would need no other order of summation, but
 * opening those ends the process with some models (1.30: segmentation fault).
 */
export function openAndOptimize(
  content: string | Uint8Array,
  settings: SessionSettings,
  folder: string,
): Promise<InferenceSession> {
  return create(content, {
    ...optionsOf(settings),
    graphOptimizationLevel: 'all',
    optimizedModelFilePath: join(folder, optimizedFiles.model),
    // It warns that the file is bound to this processor, which is known.
    logSeverityLevel: 3,
    extra: {
      session: {
        optimized_model_external_initializers_file_name: optimizedFiles.weights,
        optimized_model_external_initializers_min_size_in_bytes: '1024',
      },
    },
  })
}

/** Opens what {@link openAndOptimize} left: the weights are mapped, once for all threads. */
export function openOptimized(folder: string, settings: SessionSettings): Promise<InferenceSession> {
  return create(join(folder, optimizedFiles.model), {
    ...optionsOf(settings),
    graphOptimizationLevel: 'disabled',
    // Packed weights are copies, one a session.
    extra: { session: { disable_prepacking: '1' } },
  })
}

function create(
  content: string | Uint8Array,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  // The two forms are overloads, which a union does not match.
  return InferenceSession.create(content as string, options)
}

const optionsOf = ({ provider, intraOpThreads }: SessionSettings): InferenceSession.SessionOptions => ({
  executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'],
  intraOpNumThreads: intraOpThreads,
  interOpNumThreads: 1,
  executionMode: 'sequential',
})
