/** A job for a real trainer process on the real model, and a process that runs it. */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { image } from '../../runtime/core/definition.ts'
import { imageInputSchema } from '../../runtime/core/definition-schema.ts'
import type { RetrainingDefinition } from '../../runtime/core/retraining-definition.ts'
import type { TrainerEvent, TrainerJob } from '../../runtime/core/trainer-messages.ts'
import { createTrainerLauncher } from '../../runtime/training/launch.ts'
import { writePictures } from './pictures.ts'
import { realModel } from './real-model.ts'

export interface JobOptions {
  definition?: Partial<RetrainingDefinition>
  job?: Partial<TrainerJob>
}

/** Writes pictures, recipe and job into a new folder; answers the job's file and the job. */
export async function writeJob({ definition, job: fields }: JobOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'corun-trainer-'))
  const bundle = join(folder, 'retrain.mjs')
  const recipe = { model: 'orientation', epochs: 3, batchSize: 8, ...definition }
  await writeFile(bundle, `export default ${JSON.stringify(recipe)}`)
  const pictures = (count: number, seed: string) => writePictures(join(folder, seed), count, seed)
  const job: TrainerJob = {
    runId: 'test',
    function: 'text-orientation',
    bundle,
    model: { file: realModel, inputName: 'x', outputName: 'softmax_0.tmp_0', labels: ['0', '180'] },
    labels: ['0', '180'],
    image: imageInputSchema.parse(image({ width: 96, height: 32, fit: 'fill', mean: 0.5, std: 0.5 })),
    training: await pictures(40, 'training'),
    replay: await pictures(8, 'replay'),
    validation: [],
    heldOut: await pictures(20, 'held-out'),
    referenceHeldOut: await pictures(10, 'reference'),
    candidateFile: join(folder, 'candidate.onnx'),
    provider: 'cpu',
    threads: 1,
    loop: false,
    ...fields,
  }
  const jobFile = join(folder, 'job.json')
  await writeFile(jobFile, JSON.stringify(job))
  return { folder, jobFile, job }
}

/** A trainer at normal priority, so that tests do not wait for an idle machine. */
export function startTrainer(jobFile: string) {
  const launch = createTrainerLauncher((command, args) => ({ command, args }))
  const events: TrainerEvent[] = []
  const waiting = new Map<TrainerEvent['type'], () => void>()
  const trainer = launch(jobFile, event => {
    events.push(event)
    waiting.get(event.type)?.()
  })
  return {
    ...trainer,
    events,
    /** Resolves at the next event of this type. */
    next: (type: TrainerEvent['type']) => new Promise<void>(resolve => waiting.set(type, resolve)),
    /** Waits for the end and answers the last event. */
    async last() {
      const exit = await trainer.ended
      return { exit, event: events.at(-1) }
    },
  }
}
