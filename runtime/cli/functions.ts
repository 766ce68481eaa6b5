/** `corun functions`: what is deployed, asked of the running server, or found by deploying here. */
import { describeFunction, type FunctionListing } from '../http/function-view.ts'
import { createLogger } from '../observe/log.ts'
import { withServerOr } from './client.ts'
import { command } from './command.ts'
import { openSystem } from './system.ts'

export default command({
  name: 'functions',
  description: 'List the functions, their versions, and what is wrong with those that are not deployed',
  async run({ config, json }) {
    const functions = await withServerOr(
      config,
      async client => (await client.get<{ functions: FunctionListing[] }>('/api/functions')).functions,
      async () => {
        const system = await openSystem(config, createLogger('silent'))
        try {
          await system.start()
          return system.registry.list().map(describeFunction)
        } finally {
          await system.close()
        }
      },
    )
    if (json) process.stdout.write(`${JSON.stringify({ functions })}\n`)
    else {
      for (const { name, state, url, version, lastError } of functions) {
        const why = lastError === undefined ? '' : `  ${lastError.code}: ${lastError.message}`
        process.stdout.write(
          `${name.padEnd(24)} ${state.padEnd(8)} ${(version ?? '-').padEnd(16)} ${url}${why}\n`,
        )
      }
    }
    return functions.some(({ state }) => state !== 'ready') ? 1 : 0
  },
})
