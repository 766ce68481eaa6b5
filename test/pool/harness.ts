/** A real pool with functions that a test writes down: built, described and loaded as the registry does it. */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import pino from 'pino'
import type { Deployment } from '../../runtime/core/deployment.ts'
import { CorunError, deserializeError } from '../../runtime/core/errors.ts'
import type { InvocationAnswer, InvocationRequest, PoolReply } from '../../runtime/core/messages.ts'
import { packageRoot } from '../../runtime/core/package-root.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import { createPool, type PoolOptions } from '../../runtime/pool/pool.ts'
import { buildModule } from '../../runtime/registry/build.ts'
import { deploymentId } from '../../runtime/registry/entry.ts'
import { resolveModels } from '../../runtime/registry/resolve-models.ts'

/** Longer than a machine that is busy with other things keeps a thread from running. */
const longMs = 60_000

/** What has a limit in the pool has a long one here: a test that is about a limit sets its own. */
export const fixturePool = (options: Partial<PoolOptions> = {}) =>
  createPool({
    threads: 2,
    provider: 'cpu',
    intraOpThreads: 1,
    logLevel: 'silent',
    log: silentLogger,
    ...{ stallMs: longMs, deadlineGraceMs: longMs, describeLimitMs: longMs, disposeLimitMs: longMs },
    ...{ closeGraceMs: longMs, loadLimitMs: 4 * longMs, loadPatienceMs: 4 * longMs },
    ...options,
  })

let latches = 0
/** What a handler waits for, and the test opens. */
export function createLatch(folder: string) {
  latches += 1
  const file = join(folder, `latch-${latches}`)
  const isOpen = `process.getBuiltinModule('node:fs').existsSync(${JSON.stringify(file)})`
  return {
    /** Code: whether it is open. */
    isOpen,
    /** Code for `await`: until it is open. */
    opened: `(async () => { while (!${isOpen}) await new Promise(done => setTimeout(done, 1)) })()`,
    open: () => writeFile(file, ''),
  }
}

/** Serves the files that functions bring, as they are: one file a model. */
export const plainModels = {
  async adopt(_id: string, file: string | Uint8Array, labels: string[]) {
    if (typeof file !== 'string') throw new TypeError('a model in several files')
    const content = await readFile(file)
    return { sha256: createHash('sha256').update(content).digest('hex'), file, labels }
  },
  current(id: string): never {
    throw new CorunError('unknown-model', `there is no model "${id}"`)
  },
}

export type Reply = PoolReply<'invoke'>

export async function workbench(options: Partial<PoolOptions> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  const pool = fixturePool(options)

  async function describe(name: string, source: string): Promise<Deployment> {
    const file = join(folder, name, 'function.ts')
    await mkdir(join(folder, name), { recursive: true })
    await writeFile(file, source)
    return describeFile(name, file)
  }

  async function describeFile(name: string, file: string): Promise<Deployment> {
    const bundle = await buildModule(file, join(folder, 'builds'), name)
    const reply = await pool.run<'describe'>({ type: 'describe', function: name, bundle: bundle.file })
    if (!reply.ok) throw deserializeError(reply.error)
    const { models: specs } = reply.result
    const models = await resolveModels(name, dirname(file), specs, plainModels, {
      imports: join(folder, 'imports'),
    })
    const id = deploymentId(bundle.hash, models)
    return {
      id,
      function: name,
      bundle: bundle.file,
      bundleHash: bundle.hash,
      description: reply.result,
      models,
      dataFolder: join(folder, 'functions', name),
    }
  }

  let requests = 0
  function invoke(
    deployment: Deployment,
    request: Partial<InvocationRequest> = {},
    remainingMs = longMs,
  ): Promise<Reply> {
    requests += 1
    const whole: InvocationRequest = {
      requestId: `request-${requests}`,
      method: 'POST',
      url: `http://box/fn/${deployment.function}`,
      headers: [],
      body: new Uint8Array(),
      ...request,
    }
    return pool.run<'invoke'>({ type: 'invoke', deployment, request: whole, remainingMs })
  }

  return {
    folder,
    pool,
    describe,
    invoke,
    latch: () => createLatch(folder),
    async deploy(name: string, source: string): Promise<Deployment> {
      const deployment = await describe(name, source)
      await pool.loadEverywhere(deployment)
      return deployment
    },
    /** A function that ships, from its own folder. */
    async deployShipped(name: string): Promise<Deployment> {
      const deployment = await describeFile(name, join(packageRoot, 'functions', name, 'function.ts'))
      await pool.loadEverywhere(deployment)
      return deployment
    },
    async close() {
      await pool.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export function answerOf(reply: Reply): InvocationAnswer {
  if (!reply.ok) throw deserializeError(reply.error)
  return reply.result
}
export const textOf = (reply: Reply) => new TextDecoder().decode(answerOf(reply).body)
export const jsonOf = (reply: Reply) => JSON.parse(textOf(reply))
export const codeOf = (reply: PoolReply) => (reply.ok ? 'ok' : reply.error.code)

/** A logger that keeps its lines. */
export function collectingLogger() {
  const lines: string[] = []
  return { log: pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) }), lines }
}
