/** Run as a process of its own: one function that logs, so that the test can read standard error. */
import { workbench } from '../pool/harness.ts'

const bench = await workbench({ logLevel: 'info', threads: 1 })
const logging = await bench.deploy(
  'logging',
  `export default {
    handler(_, { log }) {
      log.debug('too quiet')
      log.info('hello', { answer: 42 })
      log.warn('careful')
      void Promise.reject(new Error('forgotten'))
      return {}
    },
  }`,
)
const reply = await bench.invoke(logging)
if (!reply.ok) throw new Error(reply.error.message)
// Answered by the same thread, after it has told what the first request left behind.
await bench.pool.unloadEverywhere('none')
await bench.close()
process.exit(0)
