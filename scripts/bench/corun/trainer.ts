// The retraining of a function, by the server's routes, as the suite `corun` starts, pauses and counts it.
import type { RetrainingView } from '../../../runtime/retraining/retraining-view.ts'
import { createClient, type LoadItem } from '../load.ts'

/** A retraining that is running, or paused. */
export interface BenchTrainer {
  start(): Promise<void>
  /** Resolves when the step that runs is over. */
  pause(): Promise<void>
  resume(): Promise<void>
  cancel(): Promise<unknown>
  /** Steps a second while `work` goes on, from one end of a step to another, so that no part of a step is lost. */
  stepsDuring<T>(work: () => Promise<T>): Promise<{ result: T; perSecond: number }>
}

/** How often it is asked how far it is: each step's end is known to that. Unit: ms. */
const pollMs = 100
/** The trainer reports at most so often: a pause shows when no step has come for longer. */
const quietMs = 700

export function trainerOf(server: string, name: string): BenchTrainer {
  const path = `${server}/api/retraining/${name}`
  const view = async () => (await (await fetch(path)).json()) as RetrainingView
  const post = async (action: string) => {
    const response = await fetch(`${path}/${action}`, { method: 'POST' })
    if (!response.ok) throw new Error(`${action} was answered ${response.status}: ${await response.text()}`)
  }
  const steps = async () => {
    const { active, runs } = await view()
    if (!active) throw new Error(`the retraining ended: ${JSON.stringify(runs[0]?.error ?? runs[0]?.state)}`)
    return active.progress?.step ?? 0
  }
  const seen = async (least: number) => {
    while ((await steps()) < least) await after(pollMs)
  }
  return {
    async start() {
      await post('run')
      await seen(3)
    },
    async pause() {
      await post('pause')
      let last = await steps()
      for (
        let quietSince = performance.now();
        performance.now() - quietSince < quietMs;
        await after(pollMs)
      ) {
        const now = await steps()
        if (now !== last) quietSince = performance.now()
        last = now
      }
    },
    async resume() {
      const before = await steps()
      await post('resume')
      await seen(before + 1)
    },
    cancel: () => post('cancel'),
    async stepsDuring(work) {
      const ends: { count: number; at: number }[] = []
      let working = true
      const watch = (async () => {
        let last = await steps()
        while (working) {
          await after(pollMs)
          const count = await steps()
          if (count === last) continue
          ends.push({ count, at: performance.now() })
          last = count
        }
      })()
      const begun = performance.now()
      const result = await work().finally(() => {
        working = false
      })
      await watch
      const [first, last] = [ends[0], ends.at(-1)]
      // Fewer than two ends: at the most so many as there were, in all of the time.
      const perSecond =
        first && last && last !== first
          ? (last.count - first.count) / (last.at - first.at)
          : ends.length / (performance.now() - begun)
      return { result, perSecond: perSecond * 1000 }
    },
  }
}

export async function postSample(server: string, name: string, sample: LoadItem): Promise<void> {
  const client = createClient(`${server}/api/functions/${name}/samples?label=${sample.label}`, 1)
  const { status, body } = await client.send(sample)
  client.close()
  if (status !== 201) throw new Error(`a sample was answered ${status}: ${body}`)
}

export const after = (ms: number) => new Promise<void>(done => setTimeout(done, ms))
