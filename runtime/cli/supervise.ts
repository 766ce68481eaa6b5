/**
 * The supervisor: starts the serving process, keeps its port while it is away, and starts it again after a crash.
 * What serving is, is serve-here.ts's; when to start again is after-exit.ts's.
 */
import { type ChildProcess, fork } from 'node:child_process'
import type { Server, Socket } from 'node:net'
import type { Config } from '../core/config.ts'
import { type ServingCommand, servingNoticeSchema } from '../core/serving-messages.ts'
import { servingProcess } from '../device/serving-process.ts'
import type { Logger } from '../observe/log.ts'
import { afterExit } from './after-exit.ts'
import { openFrontDoor } from './front-door.ts'

/** Marks the serving process, which has its orders from a supervisor. */
export const supervisedMark = 'CORUN_SUPERVISED'

/** What an orderly stop may take beyond the grace for requests: the end of a retraining's step, and of the threads. */
const stopMarginMs = 30_000

export interface SuperviseOptions {
  /** The program and its arguments, which serve when they are run with the mark in their environment. */
  program: string
  args: readonly string[]
  log: Logger
}

/** Resolves to the exit code. Prints `corun is ready at URL` once, when the first process is ready. */
export async function supervise(config: Config, options: SuperviseOptions): Promise<number> {
  const { program, args, log } = options
  const door = await openFrontDoor(config)
  let child: ChildProcess | undefined
  let signals = 0
  let wasReady = false
  let restarts = 0
  let wake = () => {}

  const stop = (signal: NodeJS.Signals) => {
    signals += 1
    wake()
    if (child === undefined) return door.close()
    if (signals === 1) {
      log.info({ signal }, 'stopping: requests in flight are answered')
      tell(child, { type: 'stop' })
      const running = child
      setTimeout(() => running.kill('SIGKILL'), config.shutdownGrace + stopMarginMs).unref()
    } else child.kill('SIGKILL')
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)

  function serveOnce(): Promise<{ code: number | null; signal: string | null; upMs: number }> {
    const startedAt = performance.now()
    const { env, execArgv } = servingProcess()
    const serving = fork(program, args, {
      env: { ...env, [supervisedMark]: '1' },
      execArgv,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    child = serving
    serving.on('message', message => {
      const notice = servingNoticeSchema.parse(message)
      if (notice.type === 'listen') {
        return door.handOver((handle, type) => tell(serving, { type }, handle))
      }
      if (!wasReady) process.stdout.write(`corun is ready at ${notice.url}\n`)
      wasReady = true
    })
    return new Promise((resolve, reject) => {
      serving.once('error', reject)
      serving.once('exit', (code, signal) => {
        child = undefined
        resolve({ code, signal, upMs: performance.now() - startedAt })
      })
    })
  }

  try {
    for (;;) {
      const end = await serveOnce()
      const next = afterExit({ ...end, stopping: signals > 0, wasReady, restarts })
      if (next.do === 'exit') return next.code
      const endedAt = performance.now()
      if (!door.isOpen)
        await door.reopen(error => log.error({ err: error }, 'the port cannot be opened again yet'))
      if (signals > 0) return 0
      const refusedMs = performance.now() - endedAt
      log.error({ ...end, ...next, refusedMs }, 'the serving process ended, and is started again')
      restarts = next.restarts
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, next.delayMs)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      // Stopped while nothing served: there is nothing to wait for.
      if (signals > 0) return 0
    }
  } finally {
    door.close()
  }
}

function tell(serving: ChildProcess, command: ServingCommand, handle?: Server | Socket): void {
  // One that has just ended is told by its exit.
  if (serving.connected) serving.send(command, handle, () => {})
}
