/**
 * Every answer on its way out, and the truth about it when it comes back: feeds drift, keeps captured pictures, and
 * makes samples of those whose label became known. Whether a label may be given is checked before it comes here.
 */
import type { DeployedModel, Deployment } from '../core/deployment.ts'
import { CorunError } from '../core/errors.ts'
import type { InvocationAnswer, ModelSaid } from '../core/messages.ts'
import type { Logger } from '../observe/log.ts'
import type { CaptureStore } from '../samples/capture-store.ts'
import type { SampleStore } from '../samples/sample-store.ts'
import type { DriftMonitor } from './monitor.ts'
import { createRecentPredictions, type Prediction } from './recent-predictions.ts'

export interface WatchOptions {
  monitor: Pick<DriftMonitor, 'observe' | 'label'>
  captures: Pick<CaptureStore, 'add' | 'get' | 'remove'>
  samples: Pick<SampleStore, 'add' | 'relabel'>
  /** The deployment that serves a function now, and the name of the model that its labels are about. */
  serving(name: string): { deployment?: Deployment | undefined; labelled?: string | undefined } | undefined
  /** Told once of every request whose truth became known: which version answered, and whether it was right. */
  onTruth?(truth: Truth): void
  log: Logger
  /** Answers that are remembered for feedback. Default 20,000. */
  remembered?: number
}

export interface AnsweredRequest {
  requestId: string
  deployment: Deployment
  answer: Pick<InvocationAnswer, 'said' | 'severalPictures' | 'captured'>
}

export interface Truth {
  function: string
  model: string
  /** Content hash. */
  version: string
  requestId: string
  label: string
  correct: boolean
}

export interface Feedback {
  requestId: string
  label: string
  /** What was answered. */
  predicted: string
  correct: boolean
  /** Id of the sample that the picture has become; null when the picture was not captured. */
  sample: string | null
}

export interface Watch {
  answered(request: AnsweredRequest): void
  /** Throws `unknown-request` when neither the answer nor the picture is known any more. */
  feedback(name: string, requestId: string, label: string): Promise<Feedback>
}

export function createWatch({
  monitor,
  captures,
  samples,
  serving,
  onTruth = () => {},
  log,
  remembered = 20_000,
}: WatchOptions): Watch {
  const predictions = createRecentPredictions(remembered)

  function answered({ requestId, deployment, answer }: AnsweredRequest): void {
    const { function: name, description } = deployment
    const { said = [], severalPictures = false, captured } = answer
    const now = serving(name)
    for (const one of said) {
      // What a version says that does not serve (any more, or on trial) is not what its successor is compared with.
      const serves = modelOf(now?.deployment, one.model)?.sha256 === one.version
      if (serves && description.drift !== false) monitor.observe(name, one, description.drift)
    }
    const last = severalPictures ? undefined : lastOf(said, `${name}.${now?.labelled}`)
    const label = last && modelOf(deployment, last.model)?.labels[last.predicted]
    if (last === undefined || label === undefined) return
    const { model, version, probability } = last
    predictions.add(requestId, { function: name, model, version, label, probability })
    if (captured === undefined || description.capture === undefined) return
    captures
      .add(name, { requestId, model, version, label, probability, ...captured }, description.capture)
      .catch(error => log.error({ function: name, requestId, err: error }, 'a picture was not captured'))
  }

  async function feedback(name: string, requestId: string, label: string): Promise<Feedback> {
    const prediction = predictions.get(name, requestId)
    const capture = await captures.get(name, requestId)
    const known: Prediction | undefined = prediction ?? (capture && { ...capture, function: name })
    if (known === undefined) {
      throw new CorunError(
        'unknown-request',
        `request "${requestId}" of function "${name}" is not known: it is too long ago, was not answered, or brought several pictures`,
      )
    }
    if (capture !== undefined) {
      const { body, format } = capture
      known.sample = (await samples.add({ function: name, label, body, format })).id
      await captures.remove(name, requestId)
    } else if (known.sample !== undefined && !(await samples.relabel(name, known.sample, label))) {
      delete known.sample
    }
    const correct = known.label === label
    if (!known.counted) {
      const { model, version } = known
      monitor.label(model, version, correct)
      onTruth({ function: name, model, version, requestId, label, correct })
    }
    known.counted = true
    return { requestId, label, predicted: known.label, correct, sample: known.sample ?? null }
  }

  return { answered, feedback }
}

const modelOf = (deployment: Deployment | undefined, id: string): DeployedModel | undefined =>
  Object.values(deployment?.models ?? {}).find(model => model.id === id)

/** What the model said last that labels are about, else whichever spoke last. */
const lastOf = (said: readonly ModelSaid[], labelled: string): ModelSaid | undefined =>
  said.findLast(({ model }) => model === labelled) ?? said.at(-1)
