/** `corun serve`: the system behind its port until a signal, then an orderly stop. */
import { createApp } from '../http/app.ts'
import { listen } from '../http/server.ts'
import { createLogger, logFile } from '../observe/log.ts'
import { openRotatingFile } from '../observe/rotating-file.ts'
import { changeLine } from './change-line.ts'
import { command } from './command.ts'
import { openSystem } from './system.ts'

export default command({
  name: 'serve',
  description: 'Serve the functions over HTTP until SIGTERM or SIGINT',
  async run({ config }) {
    const kept = openRotatingFile(logFile(config.data))
    const log = createLogger(config.logLevel, kept)
    const stopped = new Promise<NodeJS.Signals>(resolve => {
      process.on('SIGTERM', resolve)
      process.on('SIGINT', resolve)
    })
    const system = await openSystem(config, log, kept.write)
    let closed: Promise<void> | undefined
    try {
      const app = createApp({ ...system, functions: system.registry, log })
      const server = await listen(app, config)
      await system.announce(server.url)
      if (process.stderr.isTTY) {
        system.registry.onChange(change => process.stderr.write(`${changeLine(change, process.cwd())}\n`))
      }
      await system.start()
      await system.retraining.recover()
      await system.workUnattended()
      system.watch()
      process.stdout.write(`corun is ready at ${server.url}\n`)

      const signal = await stopped
      log.info({ signal }, 'stopping: requests in flight are answered')
      closed = server.close()
    } finally {
      // Whatever happened: threads may be inside the engine, and only this waits for them.
      await system.close()
      kept.flush()
    }
    await closed
    return 0
  },
})
