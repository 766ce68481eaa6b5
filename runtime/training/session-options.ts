/** How the trainer's sessions run: on the provider of the job, with its threads, yielding the cores while idle. */
import type { InferenceSession } from 'onnxruntime-node'
import type { TrainerJob } from '../core/messages.ts'

export function sessionOptions({ provider, threads }: Pick<TrainerJob, 'provider' | 'threads'>) {
  return {
    executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // Threads that spin between operators took a third more processor time for the same steps a second.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  } satisfies InferenceSession.SessionOptions
}
