/** `corun retrain <name>`: starts a run, in the running server or by itself, and follows it to its end. */
import type { Config } from '../core/config.ts'
import { CorunError } from '../core/errors.ts'
import { createLogger } from '../observe/log.ts'
import type { RetrainingView } from '../retraining/retraining-view.ts'
import { isOver, type RunRecord } from '../retraining/run-record.ts'
import { type ServerClient, withServerOr } from './client.ts'
import { command } from './command.ts'
import { openSystem } from './system.ts'

export default command({
  name: 'retrain',
  description: 'Retrain a function on the samples that the box has collected, and wait for the result',
  args: { function: { type: 'positional', description: 'Name of the function', required: true } },
  async run({ config, json, args }) {
    const name = String(args.function)
    const follow = json ? () => {} : printProgress()
    const run = await withServerOr(
      config,
      client => retrainOnline(client, name, follow),
      () => retrainOffline(config, name, follow),
    )
    process.stdout.write(json ? `${JSON.stringify(run)}\n` : `${describe(run)}\n`)
    return ['promoted', 'rejected', 'canary'].includes(run.state) ? 0 : 1
  },
})

type Follow = (run: RunRecord) => void

async function followToEnd(
  view: () => Promise<RetrainingView>,
  id: string,
  follow: Follow,
): Promise<RunRecord> {
  for (;;) {
    const { active, runs } = await view()
    const run = [active, ...runs].find(run => run?.id === id)
    if (run === undefined || run === null)
      throw new CorunError('internal-error', `run ${id} is no longer recorded`)
    // A trial may take days: `corun models` shows how it stands.
    if (isOver(run) || run.state === 'canary') return run
    follow(run)
    await new Promise(resolve => setTimeout(resolve, 500))
  }
}

async function retrainOnline(client: ServerClient, name: string, follow: Follow): Promise<RunRecord> {
  const path = `/api/retraining/${encodeURIComponent(name)}`
  const { id } = await client.post<RunRecord>(`${path}/run`)
  return followToEnd(() => client.get<RetrainingView>(path), id, follow)
}

async function retrainOffline(config: Config, name: string, follow: Follow): Promise<RunRecord> {
  const system = await openSystem(config, createLogger('warn'))
  try {
    await system.start()
    const { id } = await system.retraining.start(name)
    return await followToEnd(async () => system.retraining.get(name), id, follow)
  } finally {
    await system.close()
  }
}

function printProgress(): Follow {
  let last = ''
  return run => {
    const { progress, state } = run
    const text = progress
      ? `${state}: epoch ${progress.epoch}/${progress.epochs}, step ${progress.step}/${progress.steps}, loss ${progress.loss.toFixed(4)}`
      : state
    if (text !== last) process.stderr.write(`${text}\n`)
    last = text
  }
}

function describe(run: RunRecord): string {
  const accuracy = (metrics: RunRecord['before'], set: 'heldOut' | 'reference') => {
    const value = metrics?.[set].accuracy
    return value === null || value === undefined ? '-' : `${(value * 100).toFixed(1)} %`
  }
  const trial = run.state === 'canary' ? ['its candidate is tried on the requests of the server'] : []
  return [
    `${run.state}: ${run.decision?.reasons.join('; ') ?? run.error?.message ?? run.reason ?? ''}`,
    `held-out samples   ${accuracy(run.before, 'heldOut')} -> ${accuracy(run.after, 'heldOut')}`,
    `reference pictures ${accuracy(run.before, 'reference')} -> ${accuracy(run.after, 'reference')}`,
    ...trial,
    `version            ${run.parent.slice(0, 12)} -> ${run.candidate?.slice(0, 12) ?? '-'}`,
  ].join('\n')
}
