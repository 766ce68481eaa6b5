/** How a process that serves is started: what it may take of memory and of threads that Node itself would set otherwise. */
import { cores } from './cores.ts'

/**
 * Under load most of what the process takes would else be memory that nobody uses: young generations of 48 MiB a thread,
 * and eight arenas of glibc a core, of which each keeps what it once had. Processor time a request is the same within the
 * noise. And Node's pool of four threads, in which pictures are decoded and files read for all threads of the process,
 * would be too small on more cores. What the operator sets, in the environment or as an argument of Node, counts.
 */
export function servingProcess(): { env: NodeJS.ProcessEnv; execArgv: string[] } {
  const youngSet = /semi-space/.test(process.env.NODE_OPTIONS ?? '')
  return {
    env: { MALLOC_ARENA_MAX: '2', UV_THREADPOOL_SIZE: String(cores() + 4), ...process.env },
    execArgv: [...(youngSet ? [] : ['--max-semi-space-size=4']), ...process.execArgv],
  }
}
