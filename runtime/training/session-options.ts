/** How the trainer's sessions run: on the provider of the job, with its threads, yielding the cores while idle. */
import type { InferenceSession } from 'onnxruntime-node'
import type { TrainerJob } from '../core/trainer-messages.ts'

export function sessionOptions({ provider, threads }: Pick<TrainerJob, 'provider' | 'threads'>) {
  return {
    executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // The block that the engine plans for later runs would stand beside what the first run took: 1.6 GB against 1.1
    // for a step of ResNet-18 with 16 images of 224 x 224, in the same time.
    enableMemPattern: false,
    // A thread spins from one operator to the next and no longer: a step takes an eighth less time than without
    // spinning, and a tenth less processor time than with the engine's default of a millisecond.
    extra: { session: { intra_op: { allow_spinning: '1', spin_duration_us: '100' } } },
  } satisfies InferenceSession.SessionOptions
}
