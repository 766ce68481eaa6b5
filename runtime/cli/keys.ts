/** `corun keys make|list|revoke`: keys of functions, by the running server, or in the data directory when none runs. */
import { z } from 'zod'
import { systemClock } from '../core/clock.ts'
import type { Config } from '../core/config.ts'
import { CorunError } from '../core/errors.ts'
import { type KeyInfo, type KeyStore, openKeyStore } from '../keys/key-store.ts'
import { functionNamePattern } from '../registry/discover.ts'
import { lockDataDirectory } from '../state/data-lock.ts'
import { withServerOr } from './client.ts'
import { command } from './command.ts'

const actionSchema = z.enum(['make', 'list', 'revoke'])

export default command({
  name: 'keys',
  description: 'Make, list and revoke the keys of functions whose definition says auth: "key"',
  args: {
    action: { type: 'positional', description: 'make FUNCTION, list, or revoke ID', required: true },
    target: { type: 'positional', description: 'The function, or the id of the key', required: false },
    note: { type: 'string', description: 'What you will know the key by', valueHint: 'text' },
  },
  async run({ config, json, args }) {
    const action = actionSchema.safeParse(args.action)
    if (!action.success) {
      throw new CorunError('invalid-config', `corun keys "${args.action}": expected make, list or revoke`)
    }
    const target = typeof args.target === 'string' ? args.target : ''
    const note = typeof args.note === 'string' ? args.note : undefined
    if (action.data === 'make' && !functionNamePattern.test(target)) {
      throw new CorunError('invalid-config', `corun keys make "${target}": expected the name of a function`)
    }
    if (action.data === 'revoke' && target === '') {
      throw new CorunError('invalid-config', 'corun keys revoke: expected the id of a key')
    }
    const { made, keys } = await perform(config, action.data, target, note)
    if (json) process.stdout.write(`${JSON.stringify(made ?? { keys })}\n`)
    else if (made !== undefined) {
      process.stdout.write(`${made.key}\nIt is shown this once. Its id is ${made.id}; it opens ${target}.\n`)
    } else {
      for (const { id, function: name, note = '', createdAt } of keys) {
        process.stdout.write(`${id}  ${name.padEnd(24)} ${createdAt}  ${note}\n`)
      }
    }
    return 0
  },
})

interface Outcome {
  made?: KeyInfo & { key: string }
  /** Those that there were, or the one that was revoked. */
  keys: KeyInfo[]
}

function perform(
  config: Config,
  action: z.output<typeof actionSchema>,
  target: string,
  note: string | undefined,
): Promise<Outcome> {
  return withServerOr(
    config,
    async client => {
      switch (action) {
        case 'make':
          return { made: await client.post('/api/keys', { function: target, note }), keys: [] }
        case 'revoke':
          return { keys: [await client.delete(`/api/keys/${encodeURIComponent(target)}`)] }
        case 'list':
          return client.get('/api/keys')
      }
    },
    () => withKeyStore(config, store => performHere(store, action, target, note)),
  )
}

async function performHere(
  store: KeyStore,
  action: z.output<typeof actionSchema>,
  target: string,
  note: string | undefined,
): Promise<Outcome> {
  switch (action) {
    case 'make':
      return { made: await store.make(target, note), keys: [] }
    case 'revoke':
      return { keys: [await store.revoke(target)] }
    case 'list':
      return { keys: store.list() }
  }
}

async function withKeyStore<T>(config: Config, use: (store: KeyStore) => Promise<T>): Promise<T> {
  const lock = await lockDataDirectory(config.data, { url: 'not listening', clock: systemClock })
  try {
    return await use(await openKeyStore({ dataDir: config.data, clock: systemClock }))
  } finally {
    await lock.release()
  }
}
