/** What can be measured: the points of a search space, and its grid. Pure. */

/** One way to run this box. */
export interface SearchPoint {
  /** Concurrent inferences: pool threads. */
  threads: number
  /** onnxruntime's intra-op threads a session. */
  intraOpThreads: number
  /** Requests that go to a thread together. */
  batch: number
  /** Beside training; else alone. */
  training: boolean
  /** Intra-op threads of the trainer; null alone. */
  trainerThreads: number | null
  /** Pictures that a training step takes at once; null alone. */
  microBatch: number | null
}

/** The values of each axis, ascending. */
export interface SearchSpace {
  threads: readonly number[]
  intraOpThreads: readonly number[]
  batch: readonly number[]
  /** Both empty where nothing can be trained. */
  trainerThreads: readonly number[]
  microBatch: readonly number[]
}

export type Axis = keyof SearchSpace

export interface SpaceFacts {
  cores: number
  maxThreads: number
  maxBatch: number
  /** Pool threads that the execution provider allows; undefined: any number. */
  providerThreads?: number | undefined
  /** Pictures of a training step; undefined where nothing can be trained. */
  batchSize: number | undefined
  /** Whether intra-op threads mean anything: on an accelerator they do not. */
  intraOp: boolean
}

/** Micro-batches to try: the whole batch, its half and its quarter. */
const batchParts = [4, 2, 1]

export function spaceOf(facts: SpaceFacts): SearchSpace {
  const most = Math.min(facts.maxThreads, facts.providerThreads ?? facts.maxThreads)
  const { batchSize, cores } = facts
  const microBatch = batchSize === undefined ? [] : batchParts.map(parts => Math.ceil(batchSize / parts))
  return {
    threads: Array.from({ length: most }, (_, index) => index + 1),
    intraOpThreads: facts.intraOp ? doublings(cores) : [1],
    batch: doublings(facts.maxBatch),
    trainerThreads: batchSize === undefined ? [] : doublings(Math.min(4, cores)),
    microBatch: [...new Set(microBatch)],
  }
}

/** 1, 2, 4, ..., and `most` itself. */
function doublings(most: number): number[] {
  const values: number[] = []
  for (let value = 1; value < most; value *= 2) values.push(value)
  return [...values, most]
}

export const isTrainable = (space: SearchSpace): boolean => space.microBatch.length > 0

/** The same point of the box, whatever else is known of it. */
export const isSame = (a: SearchPoint, b: SearchPoint): boolean =>
  a.threads === b.threads &&
  a.intraOpThreads === b.intraOpThreads &&
  a.batch === b.batch &&
  a.trainerThreads === b.trainerThreads &&
  a.microBatch === b.microBatch

export const keyOf = (point: SearchPoint): string =>
  [point.threads, point.intraOpThreads, point.batch, point.trainerThreads, point.microBatch].join('/')

export const pointOf = (point: SearchPoint): SearchPoint => {
  const { threads, intraOpThreads, batch, training, trainerThreads, microBatch } = point
  return { threads, intraOpThreads, batch, training, trainerThreads, microBatch }
}

/** The least of the space: one inference alone. Latency is held against it. */
export const leastPoint = (space: SearchSpace): SearchPoint => ({
  threads: space.threads[0] ?? 1,
  intraOpThreads: space.intraOpThreads[0] ?? 1,
  batch: space.batch[0] ?? 1,
  training: false,
  trainerThreads: null,
  microBatch: null,
})

/** Beside the trainer as it runs best by itself: on all its threads, the whole batch at once. */
export const besideTraining = (point: SearchPoint, space: SearchSpace): SearchPoint => ({
  ...point,
  training: true,
  trainerThreads: space.trainerThreads.at(-1) ?? null,
  microBatch: space.microBatch.at(-1) ?? null,
})

/**
 * Every point, alone first; beside training grouped by trainer, so that one that runs is used for all its points.
 * `intraOpThreads`: those that a session is opened with; beside training it keeps them, since it stays open.
 */
export function gridOf(space: SearchSpace, intraOpThreads = space.intraOpThreads[0] ?? 1): SearchPoint[] {
  const alone = pointsOf({ ...space, trainerThreads: [null], microBatch: [null] }, false)
  if (!isTrainable(space)) return alone
  return [...alone, ...pointsOf({ ...space, intraOpThreads: [intraOpThreads] }, true)]
}

type Values = Record<Exclude<Axis, 'trainerThreads' | 'microBatch'>, readonly number[]> &
  Record<'trainerThreads' | 'microBatch', readonly (number | null)[]>

function pointsOf(values: Values, training: boolean): SearchPoint[] {
  return values.trainerThreads.flatMap(trainerThreads =>
    values.microBatch.flatMap(microBatch =>
      values.intraOpThreads.flatMap(intraOpThreads =>
        values.batch.flatMap(batch =>
          values.threads.map(threads => ({
            threads,
            intraOpThreads,
            batch,
            training,
            trainerThreads,
            microBatch,
          })),
        ),
      ),
    ),
  )
}

export const gridSize = (space: SearchSpace): number => gridOf(space).length
