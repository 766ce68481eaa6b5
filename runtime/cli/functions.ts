/** `corun functions`: what is deployed, asked of the running server, or found by deploying here. */
import { type FunctionsListing, listFunctions } from '../http/function-view.ts'
import { createLogger } from '../observe/log.ts'
import { withServerOr } from './client.ts'
import { command } from './command.ts'
import { openSystem } from './system.ts'

export default command({
  name: 'functions',
  description: 'List the functions, their versions, and what is wrong with those that are not deployed',
  async run({ config, json }) {
    const { functions, problems } = await withServerOr<FunctionsListing>(
      config,
      client => client.get('/api/functions'),
      async () => {
        const system = await openSystem({ ...config, logLevel: 'silent' }, createLogger('silent'))
        try {
          await system.start()
          return listFunctions(system.registry)
        } finally {
          await system.close()
        }
      },
    )
    if (json) process.stdout.write(`${JSON.stringify({ functions, problems })}\n`)
    else {
      for (const { name, state, url, version, lastError } of functions) {
        const why = lastError === undefined ? '' : `  ${lastError.code}: ${lastError.message}`
        process.stdout.write(
          `${name.padEnd(24)} ${state.padEnd(8)} ${(version ?? '-').padEnd(16)} ${url}${why}\n`,
        )
      }
      for (const { entry, code, message } of problems) {
        process.stdout.write(
          `${entry.padEnd(24)} ${'ignored'.padEnd(8)} ${'-'.padEnd(16)} ${code}: ${message}\n`,
        )
      }
    }
    return problems.length > 0 || functions.some(({ state }) => state !== 'ready') ? 1 : 0
  },
})
