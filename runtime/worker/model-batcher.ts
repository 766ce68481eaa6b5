/**
 * Model calls of requests that run side by side in one thread, gathered into one run of the engine: as many rows as
 * there are calls, in the order of the calls. A handler does not notice.
 */
import type { Tensor } from 'onnxruntime-node'
import { isOutOfMemory } from '../core/out-of-memory.ts'
import type { LoadedDeployment } from './deployments.ts'
import type { RunModel } from './model-handle.ts'
import { formOf, joinRows, rowsOf, takeRows } from './tensor-rows.ts'

export interface ModelBatcher {
  /** A member reads its input, and will call a model soon: calls wait for it. Answers what to call when it has. */
  reading(): () => void
  /** `run` as members of the batch call it. */
  gather(run: RunModel): RunModel
  /** Whether a run of several rows did not fit into memory; its calls were then run one by one. */
  outOfMemory(): boolean
}

/** What the members of a batch share. */
export interface SharedRuns {
  batcher: ModelBatcher
  /** Those whose runs are gathered. */
  models: LoadedDeployment['models']
}

export function shareRuns({ handles }: Pick<LoadedDeployment, 'handles'>): SharedRuns {
  const batcher = createModelBatcher()
  return { batcher, models: handles(batcher.gather) }
}

interface Call {
  feeds: Record<string, Tensor>
  resolve(outputs: Awaited<ReturnType<RunModel>>): void
  reject(error: unknown): void
}

export function createModelBatcher(): ModelBatcher {
  const calls = new Map<RunModel, Call[]>()
  let readers = 0
  let planned = false
  let outOfMemory = false

  /**
   * Runs when nobody reads an input any more and the handlers that have one have had a turn to call. A handler that
   * waits for something else is not waited for.
   */
  function plan(): void {
    if (planned || readers > 0 || calls.size === 0) return
    planned = true
    setImmediate(() => {
      planned = false
      if (readers === 0) void flush()
    })
  }

  async function flush(): Promise<void> {
    const ready = [...calls]
    calls.clear()
    for (const [run, waiting] of ready) {
      for (const group of alike(waiting)) await runGroup(run, group)
    }
    plan()
  }

  async function runGroup(run: RunModel, group: readonly Call[]): Promise<void> {
    const answers = group.length > 1 ? await runTogether(run, group) : undefined
    for (const [index, call] of group.entries()) {
      const answer = answers?.[index]
      if (answer === undefined) await run(call.feeds).then(call.resolve, call.reject)
      else call.resolve(answer)
    }
  }

  /** Undefined when the calls do not run together: each then runs alone, and one that fails fails alone. */
  async function runTogether(run: RunModel, group: readonly Call[]) {
    const counts = group.map(({ feeds }) => rowsOf(feeds) ?? 0)
    const rows = counts.reduce((sum, count) => sum + count, 0)
    try {
      const outputs = await run(joinRows(group.map(({ feeds }) => feeds)))
      let from = 0
      return counts.map(count => {
        from += count
        return takeRows(outputs, rows, [from - count, from])
      })
    } catch (error) {
      outOfMemory ||= isOutOfMemory(error)
      return undefined
    }
  }

  return {
    reading() {
      readers += 1
      let done = false
      return () => {
        if (done) return
        done = true
        readers -= 1
        plan()
      }
    },
    gather: run => feeds =>
      new Promise((resolve, reject) => {
        const waiting = calls.get(run) ?? []
        waiting.push({ feeds, resolve, reject })
        calls.set(run, waiting)
        plan()
      }),
    outOfMemory: () => outOfMemory,
  }
}

/** Calls that may share a run, by arrival; one whose tensors have no common rows stays alone. */
function alike(calls: readonly Call[]): Call[][] {
  const groups = new Map<string, Call[]>()
  for (const [index, call] of calls.entries()) {
    const form = rowsOf(call.feeds) === undefined ? `alone ${index}` : formOf(call.feeds)
    groups.set(form, [...(groups.get(form) ?? []), call])
  }
  return [...groups.values()]
}
