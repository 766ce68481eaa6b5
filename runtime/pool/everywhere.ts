/** What every thread shall have loaded: it is loaded in all of them, in those that come later too, and unloaded. */
import type { Deployment } from '../core/deployment.ts'
import { CorunError, deserializeError } from '../core/errors.ts'
import type { PoolReply, PoolTask } from '../core/messages.ts'
import { within } from '../core/within.ts'
import type { Logger } from '../observe/log.ts'
import type { ThreadBook } from './thread-book.ts'

type TaskOf<Type extends PoolTask['type']> = Extract<PoolTask, { type: Type }>

export interface EverywhereOptions {
  book: Pick<ThreadBook, 'ids' | 'takeThread'>
  /** In a thread that is the caller's. Rejects when the thread ends. */
  send<Type extends PoolTask['type']>(task: TaskOf<Type>, threadId: number): Promise<PoolReply<Type>>
  /** In a thread that was taken, and is given back then. */
  post<Type extends PoolTask['type']>(
    task: TaskOf<Type>,
    threadId: number,
  ): Promise<PoolReply<Type> | 'not-begun'>
  /** In any thread. */
  run<Type extends PoolTask['type']>(task: TaskOf<Type>): Promise<PoolReply<Type>>
  /** Why no task is taken any more; undefined while they are. */
  refusal(): CorunError | undefined
  loadPatienceMs: number
  log: Logger
}

export interface Everywhere {
  /** See Pool.loadEverywhere. */
  load(deployment: Deployment): Promise<void>
  /** Releases its sessions in every thread. */
  unload(deploymentId: string): Promise<void>
  /** Loads what serves in a thread that takes the place of another, before it takes tasks. */
  prepare(threadId: number): Promise<void>
}

/** How long a thread that has a task is waited for before the next one unloads. */
const unloadPatienceMs = 200

export function createEverywhere(options: EverywhereOptions): Everywhere {
  const { book, send, post, run, refusal, loadPatienceMs, log } = options
  const wanted = new Map<string, Deployment>()
  /** Those that ended a thread which was loading them: others load them with their first request. */
  const dangerous = new Set<string>()

  async function prepare(threadId: number): Promise<void> {
    const loaded: string[] = []
    for (const [id, deployment] of wanted) {
      if (dangerous.has(id)) continue
      try {
        const reply = await send<'load'>({ type: 'load', deployment }, threadId)
        if (reply.ok) loaded.push(id)
        else log.error({ deployment: id, err: reply.error }, 'a new thread could not load a deployment')
      } catch (error) {
        if (refusal() !== undefined) return
        dangerous.add(id)
        log.error({ deployment: id, err: error }, 'a deployment ended the new thread that loaded it')
        return
      }
    }
    for (const deploymentId of loaded.filter(id => !wanted.has(id))) {
      await send<'unload'>({ type: 'unload', deploymentId }, threadId).catch(() => undefined)
    }
  }

  async function load(deployment: Deployment): Promise<void> {
    const isNew = !wanted.has(deployment.id)
    wanted.set(deployment.id, deployment)
    dangerous.delete(deployment.id)
    try {
      await loadInAll(deployment)
    } catch (error) {
      if (isNew) wanted.delete(deployment.id)
      throw error
    }
  }

  async function loadInAll(deployment: Deployment): Promise<void> {
    const task = () => ({ type: 'load', deployment }) as const
    const seen = new Set<number>()
    let loaded = 0
    let busy = 0
    // Threads that come meanwhile are seen too. A later one loads by itself, with its first request.
    for (;;) {
      const refused = refusal()
      if (refused !== undefined) throw refused
      const next = book.ids().find(threadId => !seen.has(threadId))
      if (next === undefined) break
      seen.add(next)
      const taking = book.takeThread(next)
      const threadId = await within(taking, loadPatienceMs)
      if (threadId === 'late') {
        busy += 1
        log.warn(
          { deployment: deployment.id, thread: next },
          'a thread stays busy, and loads when it is free',
        )
        void taking.then(free => (free === undefined ? undefined : post(task(), free)))
      } else if (threadId !== undefined) {
        const reply = await post<'load'>(task(), threadId)
        if (reply === 'not-begun') continue
        if (!reply.ok) throw deserializeError(reply.error)
        loaded += 1
      }
    }
    if (loaded > 0) return
    // What no thread has loaded is not known to work.
    if (busy > 0) throw new CorunError('saturated', `no thread was free to load for ${loadPatienceMs} ms`)
    const reply = await run<'load'>(task())
    if (!reply.ok) throw deserializeError(reply.error)
  }

  /** One thread after another, so that the others serve; one that stays busy keeps none of them waiting. */
  async function unload(deploymentId: string): Promise<void> {
    const name = wanted.get(deploymentId)?.function
    wanted.delete(deploymentId)
    dangerous.delete(deploymentId)
    async function unloadIn(threadId: number | undefined): Promise<void> {
      if (threadId === undefined) return
      const task = {
        ...({ type: 'unload', deploymentId } as const),
        ...(name === undefined ? {} : { function: name }),
      }
      const reply = await post<'unload'>(task, threadId)
      if (reply === 'not-begun' || reply.ok) return
      log.warn(
        { function: name, deployment: deploymentId, thread: threadId, err: reply.error },
        'a deployment was not unloaded',
      )
    }
    const later: Promise<void>[] = []
    for (const id of book.ids()) {
      const taking = book.takeThread(id)
      const unloading = taking.then(unloadIn)
      if ((await within(taking, unloadPatienceMs)) === 'late') later.push(unloading)
      else await unloading
    }
    await Promise.all(later)
  }

  return { load, unload, prepare }
}
