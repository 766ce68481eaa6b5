// A process with the real pool and registry over a folder of functions, of which `exit` ends its thread. Run as a
// program with a folder, a number of threads and rounds, it prints what its models take and how fast a thread is there.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openModelStore } from '../../../runtime/models/model-store.ts'
import { silentLogger as log } from '../../../runtime/observe/log.ts'
import { createPool } from '../../../runtime/pool/pool.ts'
import { createRegistry } from '../../../runtime/registry/registry.ts'

export interface LoadedPool {
  /** Proportional set size that loading everything has added. */
  modelBytes: number
  /** From the end of a thread until its successor has loaded everything and takes requests, a value a round. */
  startMs: number[]
}

export async function loadedPool(folder: string, threads: number, rounds: number): Promise<LoadedPool> {
  const args = ['--import', 'tsx', fileURLToPath(import.meta.url), folder, threads, rounds].map(String)
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout)
}

function proportionalBytes(): number {
  const [, kilobytes] = /^Pss:\s+(\d+) kB/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8')) ?? []
  return Number(kilobytes) * 1024
}

async function measure(folder: string, threads: number, rounds: number): Promise<LoadedPool> {
  const dataDir = join(folder, `data-${threads}`)
  const models = await openModelStore({ dataDir, log })
  const pool = createPool({ threads, provider: 'cpu', intraOpThreads: 1, logLevel: 'silent', log })
  const functionsDir = join(folder, 'functions')
  const registry = createRegistry({ functionsDir, dataDir, pool, models, log })
  // Answered by every thread, so that their start is no part of what the models take.
  await pool.unloadEverywhere('none')
  const before = proportionalBytes()
  await registry.start()
  const modelBytes = proportionalBytes() - before
  const startMs: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const request = {
      requestId: 'end',
      method: 'POST',
      url: 'http://box/fn/exit',
      headers: [],
      body: new Uint8Array(),
    }
    const deployment = registry.deployed('exit')
    await pool.run<'invoke'>({ type: 'invoke', deployment, request, remainingMs: 60_000 })
    const startedAt = performance.now()
    while (pool.stats().threads < threads) await new Promise(resolve => setTimeout(resolve, 1))
    startMs.push(performance.now() - startedAt)
  }
  await pool.close()
  return { modelBytes, startMs }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder = '', threads, rounds] = process.argv.slice(2)
  process.stdout.write(JSON.stringify(await measure(folder, Number(threads), Number(rounds))), () =>
    process.exit(0),
  )
}
