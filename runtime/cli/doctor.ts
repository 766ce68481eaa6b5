/** `corun doctor`: what this box offers, what Corun chose and why, and what is wrong. */
import { cpus } from 'node:os'
import type { Config } from '../core/config.ts'
import { packageVersion } from '../core/package-root.ts'
import { cores } from '../device/cores.ts'
import { memoryBudgetBytes } from '../device/memory.ts'
import { selectProvider } from '../device/provider.ts'
import { type FunctionsListing, listFunctions } from '../http/function-view.ts'
import { createLogger } from '../observe/log.ts'
import { withServerOr } from './client.ts'
import { command } from './command.ts'
import { openSystem, providerMemory } from './system.ts'
import { trainerPriority } from './trainer-settings.ts'

interface Finding {
  name: string
  /** False where something needs the operator. */
  ok: boolean
  found: string
}

export default command({
  name: 'doctor',
  description: 'Say what this box offers, what was chosen and why, and what is wrong',
  async run({ config, json }) {
    const findings = [...(await findingsOfBox(config)), ...(await findingsOfSystem(config))]
    process.stdout.write(
      json
        ? `${JSON.stringify({ findings })}\n`
        : findings
            .map(({ name, ok, found }) => `${ok ? 'ok  ' : 'LOOK'}  ${name.padEnd(20)} ${found}\n`)
            .join(''),
    )
    return findings.every(({ ok }) => ok) ? 0 : 1
  },
})

async function findingsOfBox(config: Config): Promise<Finding[]> {
  const { provider, reason } = await selectProvider(config.provider, providerMemory(config))
  const asked = config.provider === 'auto' || config.provider === provider
  const priority = trainerPriority(config, cores())
  const budget = config.memoryBudget ?? memoryBudgetBytes()
  return [
    { name: 'versions', ok: true, found: `corun ${packageVersion}, Node ${process.version}` },
    { name: 'processor', ok: true, found: `${cpus()[0]?.model.trim()}, ${cores()} cores` },
    { name: 'execution provider', ok: asked, found: `${provider} (${reason})` },
    { name: 'memory budget', ok: true, found: `${Math.round(budget / 2 ** 20)} MiB` },
    {
      name: 'training priority',
      ok: priority.how !== 'none',
      found: {
        'idle-class': `idle scheduling class${priority.switches ? ', in bursts a normal one' : ''}`,
        nice: `nice ${priority.niceness}`,
        none: 'none: a trainer asks before each step',
      }[priority.how],
    },
  ]
}

interface SystemFacts extends FunctionsListing {
  profile: { reason?: string; profile?: unknown }
}

async function findingsOfSystem(config: Config): Promise<Finding[]> {
  const { functions, problems, profile } = await withServerOr<SystemFacts>(
    config,
    async client => ({
      ...(await client.get<FunctionsListing>('/api/functions')),
      profile: await client.get('/api/profile'),
    }),
    async () => {
      const system = await openSystem({ ...config, logLevel: 'silent' }, createLogger('silent'))
      try {
        await system.start()
        return { ...listFunctions(system.registry), profile: system.profile() }
      } finally {
        await system.close()
      }
    },
  )
  return [
    { name: 'profile', ok: profile.profile !== undefined, found: profile.reason ?? '' },
    ...functions.map(({ name, state, version, lastError }) => ({
      name: `function ${name}`,
      ok: state === 'ready' && lastError === undefined,
      found:
        lastError === undefined
          ? `${state}, version ${version}`
          : `${state}, ${lastError.code}: ${lastError.message}`,
    })),
    ...problems.map(({ entry, code, message }) => ({
      name: `functions folder: ${entry}`,
      ok: false,
      found: `${code}: ${message}`,
    })),
  ]
}
