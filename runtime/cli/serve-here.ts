/** The system behind its port in this process, until it is told to stop; then an orderly stop. */
import { Server, Socket } from 'node:net'
import type { Config } from '../core/config.ts'
import { type ServingNotice, servingCommandSchema } from '../core/serving-messages.ts'
import { createApp } from '../http/app.ts'
import { type HttpServer, listen } from '../http/server.ts'
import { createLogger, logFile } from '../observe/log.ts'
import { openRotatingFile } from '../observe/rotating-file.ts'
import { changeLine } from './change-line.ts'
import { openSystem } from './system.ts'

export interface ServeOptions {
  /** Where to listen, asked for when the system is open. */
  port(): Promise<{ host: string; port: number } | Server>
  onListening?(server: HttpServer): void
  onReady(url: string): void
  /** Resolves to why. */
  stopped: Promise<string>
}

/** In which those that the grace was too short for are told so. Unit: ms. */
const refusalMs = 2000

export async function serveHere(config: Config, options: ServeOptions): Promise<void> {
  const { port, onListening = () => {}, onReady, stopped } = options
  const kept = openRotatingFile(logFile(config.data))
  const log = createLogger(config.logLevel, kept)
  const system = await openSystem(config, log, kept.write)
  let closed: Promise<void> | undefined
  let starting: Promise<void> | undefined
  try {
    const app = createApp({ ...system, functions: system.registry, log })
    const server = await listen(app, await port())
    onListening(server)
    await system.announce(server.url)
    if (process.stderr.isTTY) {
      system.registry.onChange(change => process.stderr.write(`${changeLine(change, process.cwd())}\n`))
    }
    let stopping = false
    const start = async () => {
      for (const step of [system.start, system.retraining.recover, system.workUnattended, system.watch]) {
        if (!stopping) await step()
      }
      if (!stopping) onReady(server.url)
    }
    starting = start()
    // A stop need not wait for functions that take long to start.
    const why = await Promise.race([stopped, starting.then(() => stopped)])
    stopping = true
    log.info({ why }, 'stopping: requests in flight are answered')
    closed = server.close(config.shutdownGrace + refusalMs)
  } finally {
    // Whatever happened: threads may be inside the engine, and only this waits for them.
    await system.close()
    kept.flush()
  }
  await Promise.all([closed, starting?.catch(() => {})])
}

/** By itself: it opens the port, and signals stop it; a second one at once. */
export async function serveAlone(config: Config): Promise<number> {
  const stopped = new Promise<string>(resolve => {
    let signals = 0
    const stop = (signal: string) => {
      signals += 1
      // Killed and not exited: an exit while a thread is inside the engine would wait for it, or abort.
      if (signals > 1) process.kill(process.pid, 'SIGKILL')
      resolve(signal)
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
  await serveHere(config, {
    stopped,
    port: async () => config,
    onReady: url => process.stdout.write(`corun is ready at ${url}\n`),
  })
  return 0
}

/** For a supervisor: it gives the port, and stops this process by a message, or by its own end. */
export async function serveSupervised(config: Config): Promise<number> {
  const say = (notice: ServingNotice) => process.send?.(notice)
  const early: Socket[] = []
  let server: HttpServer | undefined
  let givePort = (_port: Server) => {}
  const port = new Promise<Server>(resolve => {
    givePort = resolve
  })
  const stopped = new Promise<string>(resolve => {
    // A terminal sends it to the supervisor as well, who decides.
    process.on('SIGINT', () => {})
    process.on('SIGTERM', resolve)
    process.once('disconnect', () => resolve('the supervisor is gone'))
    process.on('message', (message, handle) => {
      const { type } = servingCommandSchema.parse(message)
      if (type === 'stop') resolve('the supervisor says so')
      else if (type === 'port' && handle instanceof Server) givePort(handle)
      else if (handle instanceof Socket) {
        if (server === undefined) early.push(handle)
        else server.accept(handle)
      }
    })
  })
  await serveHere(config, {
    stopped,
    port() {
      say({ type: 'listen' })
      return port
    },
    onListening(listening) {
      server = listening
      for (const socket of early.splice(0)) listening.accept(socket)
    },
    onReady: url => say({ type: 'ready', url }),
  })
  return 0
}
