/** `corun models`: versions and lineage; `--rollback ID`, `--promote ID --to VERSION` and pins by hand. */
import type { CanaryView } from '../canary/record.ts'
import type { Config } from '../core/config.ts'
import { CorunError } from '../core/errors.ts'
import { mostReason } from '../http/api-models.ts'
import type { ModelView } from '../models/model-view.ts'
import { createLogger } from '../observe/log.ts'
import type { ModelControl } from '../retraining/model-control.ts'
import { type ServerClient, withServerOr } from './client.ts'
import { command } from './command.ts'
import { openSystem } from './system.ts'

interface Wish {
  rollback?: string | undefined
  promote?: string | undefined
  pin?: string | undefined
  unpin?: string | undefined
  to?: string | undefined
  why?: string | undefined
}

export default command({
  name: 'models',
  description: 'List model versions and which one serves; roll back, promote or pin by hand',
  args: {
    rollback: { type: 'string', description: 'Model to take back to the version before', valueHint: 'id' },
    promote: { type: 'string', description: 'Model to switch to the version of --to', valueHint: 'id' },
    pin: { type: 'string', description: 'Model whose version of --to is kept for good', valueHint: 'id' },
    unpin: { type: 'string', description: 'Model whose version of --to need not be kept', valueHint: 'id' },
    to: { type: 'string', description: 'SHA-256 of a version', valueHint: 'version' },
    why: { type: 'string', description: 'The reason, for the history', valueHint: 'text' },
  },
  async run({ config, json, args }) {
    const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)
    const wish: Wish = {
      rollback: text(args.rollback),
      promote: text(args.promote),
      pin: text(args.pin),
      unpin: text(args.unpin),
      to: text(args.to),
      why: text(args.why),
    }
    const ofVersion = wish.promote ?? wish.pin ?? wish.unpin
    if ((ofVersion === undefined) !== (wish.to === undefined)) {
      throw new CorunError('invalid-config', '--promote, --pin or --unpin ID and --to VERSION go together')
    }
    if (wish.why !== undefined && wish.why.length > mostReason) {
      throw new CorunError(
        'invalid-config',
        `--why has ${wish.why.length} characters, expected ${mostReason} at most`,
      )
    }
    if (wish.to !== undefined && !/^[0-9a-f]{64}$/.test(wish.to)) {
      throw new CorunError(
        'invalid-config',
        `--to "${wish.to}": expected the SHA-256 of a version, in hexadecimal`,
      )
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

/** A model, and how the trial of its candidate stands. */
type Listed = ModelView & { trial: CanaryView | null }

async function online(client: ServerClient, wish: Wish): Promise<Listed[]> {
  const { rollback, promote, pin, unpin, to, why } = wish
  const path = (id: string) => `/api/models/${encodeURIComponent(id)}`
  if (rollback !== undefined) await client.post(`${path(rollback)}/rollback`, { why })
  if (promote !== undefined) await client.post(`${path(promote)}/promote`, { version: to, why })
  if (pin !== undefined) await client.post(`${path(pin)}/pin`, { version: to, why })
  if (unpin !== undefined) await client.post(`${path(unpin)}/pin`, { version: to, pinned: false, why })
  return (await client.get<{ models: Listed[] }>('/api/models')).models
}

async function offline(config: Config, wish: Wish): Promise<Listed[]> {
  const system = await openSystem(config, createLogger('warn'))
  try {
    await system.start()
    await apply(system.models, wish)
    const trials = system.canaries.list()
    return system.models
      .list()
      .map(view => ({ ...view, trial: trials.find(({ model }) => model === view.id) ?? null }))
  } finally {
    await system.close()
  }
}

async function apply(models: ModelControl, wish: Wish): Promise<void> {
  const { rollback, promote, pin, unpin, to = '', why } = wish
  const reason = why === undefined ? {} : { why }
  if (rollback !== undefined) await models.rollback(rollback, reason)
  if (promote !== undefined) await models.promote(promote, to, reason)
  if (pin !== undefined) await models.pin(pin, to, true, reason)
  if (unpin !== undefined) await models.pin(unpin, to, false, reason)
}

function describe({ id, versions, trial }: Listed): string {
  const lines = versions.map(({ sha256, state, source, createdAt, metrics, pinned, kept }) => {
    const accuracy = metrics?.heldOut.accuracy
    const shown = typeof accuracy === 'number' ? `held-out ${(accuracy * 100).toFixed(1)} %` : ''
    return `  ${sha256}  ${state.padEnd(9)} ${source.padEnd(10)} ${createdAt}  ${[shown, pinned ? 'pinned' : '', kept ? '' : 'file removed'].filter(Boolean).join(', ')}\n`
  })
  return `${id}\n${lines.join('')}${trial === null ? '' : describeTrial(trial)}`
}

/** How both versions do, side by side. */
function describeTrial({ mode, progress, current, candidate, agreement }: CanaryView): string {
  const ms = (value: number | null) => (value === null ? '-' : `${value.toFixed(1)} ms`)
  const arm = (name: string, { requests, errors, p50Ms, p95Ms, accuracy }: CanaryView['current']) =>
    `  ${mode} ${name.padEnd(9)} ${requests} requests, ${errors} errors, p50 ${ms(p50Ms)}, p95 ${ms(p95Ms)}${accuracy === null ? '' : `, ${(accuracy.value * 100).toFixed(1)} % of ${accuracy.count} right`}\n`
  const same =
    agreement === null
      ? ''
      : `, ${agreement.same} the same and ${agreement.different} different, ${agreement.skipped} not run`
  return `${arm('current', current)}${arm('candidate', candidate)}  ${mode} is at ${progress.requests} of ${progress.of} requests${same}\n`
}
