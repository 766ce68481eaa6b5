/** Which execution provider serves: a pure choice from facts, and the finding of these facts. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { env, listSupportedBackends } from 'onnxruntime-node'
import type { Provider, ProviderChoice } from '../core/config.ts'
import { testProvider } from './provider-test.ts'
import { rememberTests } from './remembered-test.ts'

type Accelerator = Exclude<Provider, 'cpu'>

/** Fastest first, as far as a box could have several. */
const accelerators: readonly Accelerator[] = ['tensorrt', 'cuda', 'coreml', 'dml', 'webgpu']

export interface ProviderFacts {
  /** Bundled with the installed engine. */
  bundled: ReadonlySet<string>
  /** Whether the box shows hardware for it. A software device counts as none. */
  hasHardware(provider: Accelerator): boolean
  /** What a small model did on it: undefined when right, else what went wrong. */
  test(provider: Accelerator): Promise<string | undefined>
}

export interface ProviderSelection {
  provider: Provider
  /** For the log: why this one, and why no other. */
  reason: string
}

/** Takes the best accelerator that works, or the one that was asked for; else the CPU, and says why. */
export async function chooseProvider(
  choice: ProviderChoice,
  facts: ProviderFacts,
): Promise<ProviderSelection> {
  if (choice === 'cpu') return { provider: 'cpu', reason: 'asked for' }
  const against: string[] = []
  for (const provider of choice === 'auto' ? accelerators : [choice]) {
    const why = await objection(provider, facts, choice !== 'auto')
    if (why === undefined) {
      const reason =
        choice === 'auto'
          ? 'the best that ran a test model correctly'
          : 'asked for, and ran a test model correctly'
      return { provider, reason }
    }
    against.push(`${provider}: ${why}`)
  }
  return { provider: 'cpu', reason: against.join('; ') }
}

/** `asked`: who names a provider may mean a software device, so only the test decides. */
async function objection(
  provider: Accelerator,
  facts: ProviderFacts,
  asked: boolean,
): Promise<string | undefined> {
  if (!facts.bundled.has(provider)) return 'not part of the installed onnxruntime-node'
  if (!asked && !facts.hasHardware(provider)) return 'no such device here'
  return facts.test(provider)
}

const entriesOf = (path: string) => (existsSync(path) ? readdirSync(path) : [])
const exists = (path: string, name: RegExp) => entriesOf(path).some(entry => name.test(entry))

/** Signs of hardware that cost no driver call. Where the system gives none, the test alone decides. */
function hasHardware(provider: Accelerator): boolean {
  if (process.platform !== 'linux') return true
  return provider === 'webgpu' ? exists('/dev/dri', /^renderD/) : exists('/dev', /^nvidia\d/)
}

/** What a test's result depends on, as far as it can be told without a driver call. */
function testSigns(): string {
  const driver = '/proc/driver/nvidia/version'
  return [
    env.versions.node,
    process.version,
    ...entriesOf('/dev/dri'),
    existsSync(driver) ? readFileSync(driver, 'utf8') : '',
    process.env.VK_ICD_FILENAMES ?? '',
  ].join(' ')
}

/**
 * The choice for this box. An accelerator is tried in a process of its own, since a driver may take it down.
 * `memoryFile`: where what has passed is kept for the next start; without it everything is tried every time.
 */
export function selectProvider(choice: ProviderChoice, memoryFile?: string): Promise<ProviderSelection> {
  const bundled = new Set(listSupportedBackends().map(({ name }) => name))
  const test = memoryFile === undefined ? testProvider : rememberTests(memoryFile, testSigns(), testProvider)
  return chooseProvider(choice, { bundled, hasHardware, test })
}
