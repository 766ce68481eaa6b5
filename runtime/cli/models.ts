/** `corun models`: versions and lineage; `--rollback ID` and `--promote ID --to VERSION` by hand. */
import type { Config } from '../core/config.ts'
import { CorunError } from '../core/errors.ts'
import type { ModelView } from '../models/model-view.ts'
import { createLogger } from '../observe/log.ts'
import type { ModelControl } from '../retraining/model-control.ts'
import { type ServerClient, withServerOr } from './client.ts'
import { command } from './command.ts'
import { openSystem } from './system.ts'

interface Wish {
  rollback?: string | undefined
  promote?: string | undefined
  to?: string | undefined
}

export default command({
  name: 'models',
  description: 'List model versions and which one serves; roll back or promote by hand',
  args: {
    rollback: { type: 'string', description: 'Model to take back to the version before', valueHint: 'id' },
    promote: { type: 'string', description: 'Model to switch to the version of --to', valueHint: 'id' },
    to: { type: 'string', description: 'SHA-256 of a version', valueHint: 'version' },
  },
  async run({ config, json, args }) {
    const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)
    const wish = { rollback: text(args.rollback), promote: text(args.promote), to: text(args.to) }
    if ((wish.promote === undefined) !== (wish.to === undefined)) {
      throw new CorunError('invalid-config', '--promote ID and --to VERSION go together')
    }
    const models = await withServerOr(
      config,
      client => online(client, wish),
      () => offline(config, wish),
    )
    process.stdout.write(json ? `${JSON.stringify({ models })}\n` : models.map(describe).join(''))
    return 0
  },
})

async function online(client: ServerClient, { rollback, promote, to }: Wish): Promise<ModelView[]> {
  const path = (id: string) => `/api/models/${encodeURIComponent(id)}`
  if (rollback !== undefined) await client.post(`${path(rollback)}/rollback`)
  if (promote !== undefined) await client.post(`${path(promote)}/promote`, { version: to })
  return (await client.get<{ models: ModelView[] }>('/api/models')).models
}

async function offline(config: Config, wish: Wish): Promise<ModelView[]> {
  const system = await openSystem(config, createLogger('warn'))
  try {
    await system.start()
    await apply(system.models, wish)
    return system.models.list()
  } finally {
    await system.close()
  }
}

async function apply(models: ModelControl, { rollback, promote, to }: Wish): Promise<void> {
  if (rollback !== undefined) await models.rollback(rollback)
  if (promote !== undefined && to !== undefined) await models.promote(promote, to)
}

function describe({ id, versions }: ModelView): string {
  const lines = versions.map(({ sha256, state, source, createdAt, metrics }) => {
    const accuracy = metrics?.heldOut.accuracy
    const shown = typeof accuracy === 'number' ? `held-out ${(accuracy * 100).toFixed(1)} %` : ''
    return `  ${sha256}  ${state.padEnd(9)} ${source.padEnd(10)} ${createdAt}  ${shown}\n`
  })
  return `${id}\n${lines.join('')}`
}
