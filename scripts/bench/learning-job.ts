// The job of one trial: pictures drawn for it, in the form that the server gives its trainer.
import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { TrainerJob } from '../../runtime/core/trainer-messages.ts'
import { prepareJob, type TrainableFunction } from '../../runtime/retraining/prepare-job.ts'
import type { Sample, SampleStore } from '../../runtime/samples/sample-store.ts'
import type { DrawOptions, Subject } from '../pictures/subject.ts'

export interface TrialOptions {
  target: TrainableFunction
  subject: Subject
  /** The trial's own: pictures, job and candidate are written to it. */
  folder: string
  /** One of the subject's. */
  drift: string
  seed: number
  /** Labelled pictures of the drift; all of them are trained on. */
  labels: number
  /** Pictures that judge, drifted ones and as many clean ones. */
  heldOut: number
}

export async function makeJob(options: TrialOptions): Promise<TrainerJob> {
  const { target, subject, folder, drift, seed, labels, heldOut } = options
  // The set of seed 1 is the reference pictures.
  const teach = { use: 'teach', count: labels, seed: 10 * seed + 2 } as const
  const judge = { use: 'judge', count: heldOut, seed: 10 * seed + 3 } as const
  const draw = (set: DrawOptions) =>
    writeSet(subject, join(folder, `${set.drift ?? 'clean'}-${set.use}`), set)
  const samples = [...(await draw({ ...teach, drift })), ...(await draw({ ...judge, drift }))]
  const clean = await draw(judge)
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
async function writeSet(subject: Subject, folder: string, options: DrawOptions): Promise<Sample[]> {
  await mkdir(folder, { recursive: true })
  const pictures = (await subject.draw(options)).entries()
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
        split: options.use === 'teach' ? ('training' as const) : ('test' as const),
      }
    }),
  )
}

/** A store of just these samples, split as they say and not by their content: none is lost to the other side. */
const storeOf = (samples: Sample[]): Pick<SampleStore, 'list'> => ({ list: async () => samples })
