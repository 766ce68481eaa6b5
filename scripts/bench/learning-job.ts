// The job of one trial: pictures drawn for it, in the form that the server gives its trainer.
import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { TrainerJob } from '../../runtime/core/trainer-messages.ts'
import { prepareJob, type TrainableFunction } from '../../runtime/retraining/prepare-job.ts'
import type { Sample, SampleStore } from '../../runtime/samples/sample-store.ts'
import type { DriftName } from '../pictures/drift.ts'
import { makeSet, type SetOptions } from '../pictures/make-set.ts'

export interface TrialOptions {
  target: TrainableFunction
  /** The trial's own: pictures, job and candidate are written to it. */
  folder: string
  drift: DriftName
  seed: number
  /** Labelled pictures of the drift; all of them are trained on. */
  labels: number
  /** Pictures that judge, drifted ones and as many clean ones: their words are in no training picture. */
  heldOut: number
}

export async function makeJob({
  target,
  folder,
  drift,
  seed,
  labels,
  heldOut,
}: TrialOptions): Promise<TrainerJob> {
  // Reference pictures are the set of seed 1.
  const seeds = { training: 10 * seed + 2, test: 10 * seed + 3 }
  const draw = (split: keyof typeof seeds, count: number, drift?: DriftName) =>
    writeSet(join(folder, `${drift ?? 'clean'}-${split}`), split, {
      count,
      seed: seeds[split],
      text: split === 'training' ? 'train' : 'held-out',
      drift,
    })
  const samples = [...(await draw('training', labels, drift)), ...(await draw('test', heldOut, drift))]
  const clean = await draw('test', heldOut)
  const job = await prepareJob(target, storeOf(samples), {
    runId: 'bench',
    candidateFile: join(folder, 'candidate.onnx'),
    provider: 'cpu',
    threads: Math.min(4, availableParallelism()),
  })
  // Clean pictures judge what was forgotten, in place of the reference set's own third.
  const referenceHeldOut = clean.map(({ file, label }) => ({ file, label }))
  return { ...job, referenceHeldOut }
}

/** Draws a set and writes it, a file a picture. */
async function writeSet(folder: string, split: Sample['split'], options: SetOptions): Promise<Sample[]> {
  await mkdir(folder, { recursive: true })
  const pictures = (await makeSet(options)).entries()
  return Promise.all(
    Array.from(pictures, async ([index, { image, label }]) => {
      const file = join(folder, `${index}.jpg`)
      await writeFile(file, image)
      return {
        id: String(index),
        label,
        file,
        format: 'jpg' as const,
        at: '',
        bytes: image.byteLength,
        split,
      }
    }),
  )
}

/** A store of just these samples, split as they say and not by their content: none is lost to the other side. */
const storeOf = (samples: Sample[]): Pick<SampleStore, 'list'> => ({ list: async () => samples })
