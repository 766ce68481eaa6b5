/** `corun serve`: a serving process under a supervisor that starts it again when it crashes, or that process alone. */
import { createLogger } from '../observe/log.ts'
import { command } from './command.ts'
import { serveAlone, serveSupervised } from './serve-here.ts'
import { supervise, supervisedMark } from './supervise.ts'

export default command({
  name: 'serve',
  description: 'Serve the functions over HTTP until SIGTERM or SIGINT; a second one ends it at once',
  args: {
    supervise: {
      type: 'boolean',
      default: true,
      description: 'Serve in a process that is started again when it crashes',
      negativeDescription: 'Serve in this process, for a system that supervises by itself',
    },
  },
  async run({ config, args }) {
    if (process.env[supervisedMark] !== undefined && process.send !== undefined) {
      return serveSupervised(config)
    }
    if (args.supervise === false) return serveAlone(config)
    const [program = '', ...rest] = process.argv.slice(1)
    return supervise(config, { program, args: rest, log: createLogger(config.logLevel) })
  },
})
