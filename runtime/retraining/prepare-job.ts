/** What a trainer needs for a run: the model, its labels, and which pictures teach, remind and judge. */
import { isAbsolute, join } from 'node:path'
import type { DeployedModel, DeployedRetraining, Deployment } from '../core/deployment.ts'
import { CorunError } from '../core/errors.ts'
import { nextLabels, targetsOf } from '../core/labels.ts'
import type { Loss } from '../core/retraining-definition.ts'
import type { LabelledFile, TrainerJob } from '../core/trainer-messages.ts'
import { type Reference, readReference } from '../samples/reference.ts'
import type { Sample, SampleStore } from '../samples/sample-store.ts'
import type { Split } from '../samples/split.ts'
import { leastHeldOut } from './decide.ts'

export interface TrainableFunction {
  name: string
  deployment: Deployment
  retraining: DeployedRetraining
}

export interface TrainerSettings {
  runId: string
  /** Where the candidate is written; a folder of the run's own, which takes what it keeps for itself too. */
  candidateFile: string
  provider: string
  /** Intra-op threads of the training session. */
  threads: number
  /** What the trainer may take of memory; no bound when left out. */
  memoryBytes?: number
}

/** The job of a run. Throws `too-few-samples`, and `invalid-definition` when the function cannot be retrained. */
export async function prepareJob(
  target: TrainableFunction,
  samples: Pick<SampleStore, 'list'>,
  settings: TrainerSettings,
): Promise<TrainerJob> {
  const job = await describeJob(target, samples, settings)
  const { minSamples } = target.retraining.description.accept
  if (job.training.length < minSamples || job.heldOut.length < leastHeldOut) {
    throw new CorunError(
      'too-few-samples',
      `function "${target.name}" has ${job.training.length} samples to train on and ${job.heldOut.length} for the test; expected at least ${minSamples} and ${leastHeldOut} (of all samples a quarter is for the test and a tenth for validation, by their content)`,
    )
  }
  return job
}

/**
 * A job that trains for ever and writes nothing: the load that a profile measures beside. Reference pictures stand
 * in while there are no samples. Undefined when there is no picture at all.
 */
export async function prepareLoopJob(
  target: TrainableFunction,
  samples: Pick<SampleStore, 'list'>,
  settings: Omit<TrainerSettings, 'runId'>,
): Promise<TrainerJob | undefined> {
  const job = await describeJob(target, samples, { ...settings, runId: 'loop' })
  const training = job.training.length > 0 ? job.training : job.replay
  if (training.length === 0) return undefined
  return { ...job, training, validation: [], heldOut: [], referenceHeldOut: [], loop: true }
}

async function describeJob(
  target: TrainableFunction,
  samples: Pick<SampleStore, 'list'>,
  settings: TrainerSettings,
): Promise<TrainerJob> {
  const { name, deployment, retraining } = target
  const model = trainedModel(target)
  const { input } = deployment.description
  const inputName = model.inputs[0]?.name
  const outputName = model.outputs[0]?.name
  if (input.kind !== 'image' || inputName === undefined || outputName === undefined) {
    throw invalid(
      name,
      `its input is ${input.kind}; expected image(...) and a model with an input and an output`,
    )
  }
  const known = await samples.list(name)
  const { loss, labels: wanted } = retraining.description
  const texts = known.filter(({ split }) => split === 'training').map(({ label }) => label)
  const labels = nextLabels(model.labels, wanted, texts, loss)
  const reference = await referenceOf(retraining, model.labels, labels)
  const labelled = (split: Split) => labelledAs(known, split, loss, labels)
  return {
    runId: settings.runId,
    function: name,
    bundle: retraining.bundle,
    model: { file: model.file, inputName, outputName, labels: model.labels },
    labels,
    image: input,
    training: labelled('training'),
    replay: reference.training,
    validation: labelled('validation'),
    heldOut: labelled('test'),
    referenceHeldOut: reference.heldOut,
    candidateFile: settings.candidateFile,
    provider: settings.provider,
    threads: settings.threads,
    ...(settings.memoryBytes === undefined ? {} : { memoryBytes: settings.memoryBytes }),
    loop: false,
  }
}

/** The deployed model that the retraining names. Throws `invalid-definition`. */
export function trainedModel({ name, deployment, retraining }: TrainableFunction): DeployedModel {
  const { models } = deployment
  const key = retraining.description.model
  const model = Object.hasOwn(models, key) ? models[key] : undefined
  if (model === undefined) {
    throw invalid(
      name,
      `model: "${key}" is not one of the function's models: ${Object.keys(models).join(', ')}`,
    )
  }
  if (model.labels.length === 0) throw invalid(name, `model "${key}" has no labels`)
  return model
}

/** Samples whose label the model does not know (any more) teach it nothing. */
function labelledAs(
  samples: readonly Sample[],
  split: Split,
  loss: Loss,
  labels: readonly string[],
): LabelledFile[] {
  return samples
    .filter(sample => sample.split === split && targetsOf(sample.label, loss, labels) !== undefined)
    .map(({ file, label }) => ({ file, label }))
}

/** Absolute path of the pictures that the model must not forget; undefined where it has none. */
export function referenceFolder({ folder, description }: DeployedRetraining): string | undefined {
  const { reference } = description
  return reference === undefined || isAbsolute(reference) ? reference : join(folder, reference)
}

/** Pictures of classes that are to go remind of nothing. */
async function referenceOf(
  retraining: DeployedRetraining,
  known: readonly string[],
  labels: readonly string[],
): Promise<Reference> {
  const { loss } = retraining.description
  const folder = referenceFolder(retraining)
  if (folder === undefined) return { training: [], heldOut: [] }
  const all = loss === 'mean-squared-error' ? labels : [...new Set([...known, ...labels])]
  const { training, heldOut } = await readReference(folder, loss, all)
  const wanted = (files: LabelledFile[]) =>
    files.filter(({ label }) => targetsOf(label, loss, labels) !== undefined)
  return { training: wanted(training), heldOut: wanted(heldOut) }
}

const invalid = (name: string, reason: string) =>
  new CorunError('invalid-definition', `retraining of "${name}": ${reason}`)
