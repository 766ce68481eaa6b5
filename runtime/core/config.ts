/** Configuration: options of the command line over environment twins over defaults, checked once. */
import { isAbsolute, resolve } from 'node:path'
import { z } from 'zod'
import { CorunError } from './errors.ts'
import { issuesText } from './issues-text.ts'

export const providerChoices = ['auto', 'cpu', 'webgpu', 'cuda', 'tensorrt', 'coreml', 'dml'] as const
export type ProviderChoice = (typeof providerChoices)[number]
export type Provider = Exclude<ProviderChoice, 'auto'>

const bytes = (least: number) => z.coerce.number().int().min(least)
const folder = z
  .string()
  .min(1)
  .transform(path => (isAbsolute(path) ? path : resolve(path)))

const origin = z.string().refine(text => URL.canParse(text) && new URL(text).origin === text, {
  error: 'expected origins such as https://app.example, joined by commas, or *',
})
const origins = z
  .string()
  .transform(text => (text === '*' ? text : text.split(',').map(part => part.trim())))
  .pipe(z.union([z.literal('*'), z.array(origin)]))

export const configSchema = z.object({
  port: z.coerce.number().int().min(0).max(65_535).default(8080),
  host: z.string().min(1).default('127.0.0.1'),
  functions: folder.prefault('functions'),
  data: folder.prefault('.corun'),
  profiles: folder.prefault('profiles'),
  provider: z.enum(providerChoices).default('auto'),
  /** Bytes that inference and training together may take. Default: 80 % of what the box or its cgroup has. */
  memoryBudget: bytes(64 * 2 ** 20).optional(),
  adminToken: z.string().min(8).optional(),
  bodyLimit: bytes(1024).default(16 * 2 ** 20),
  queueLimit: z.coerce.number().int().min(0).default(256),
  /** The most samples of a label that are kept. */
  samplesPerLabel: z.coerce.number().int().min(1).default(2000),
  /** The most bytes that the samples of a function take. */
  sampleBytes: bytes(2 ** 20).default(2 ** 30),
  /** What a retraining gets at the least of what it would get alone, while requests want everything. 0: nothing. */
  trainingShare: z.coerce.number().min(0).max(0.5).default(0.05),
  /** Pages of these may call every function whose definition does not say otherwise. */
  corsOrigins: origins.optional(),
  /** Pages of these may call the API. */
  apiCorsOrigins: origins.optional(),
  /** How long the result of an asynchronous invocation is kept. Unit: s. */
  asyncTtl: z.coerce.number().int().min(1).default(3600),
  /** Asynchronous invocations on disk, waiting or done. */
  asyncLimit: z.coerce.number().int().min(0).default(10_000),
  /** What their requests and results may take on disk. */
  asyncBytes: bytes(0).default(512 * 2 ** 20),
  /** Signs callbacks. */
  callbackSecret: z.string().min(16).optional(),
  /** Hosts that callbacks may go to. Default: any. */
  callbackHosts: z
    .string()
    .transform(text => text.split(',').map(host => host.trim().toLowerCase()))
    .optional(),
  /** How long a stop waits for requests in flight. Unit: ms. */
  shutdownGrace: z.coerce.number().int().min(0).max(86_400_000).default(30_000),
  /** How long a thread may hold a request past its deadline. Unit: ms. */
  deadlineGrace: z.coerce.number().int().min(0).default(5000),
  /** Bytes by which the process may grow in one request. Default: a quarter of the memory budget, at most 1 GiB. */
  threadMemory: bytes(2 ** 20).optional(),
  /** Deployments that a thread loads before it is replaced. */
  threadReloads: z.coerce.number().int().min(1).default(200),
  /** Versions of a model that served before whose files stay, beside the last one and the pinned. */
  keepVersions: z.coerce.number().int().min(0).default(5),
  /** How long the version before stays loaded after a promotion or a rollback. Unit: s. */
  keepWarm: z.coerce.number().int().min(0).max(2_000_000).default(600),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
})
export type Config = z.output<typeof configSchema>

export interface ConfigOption {
  /** As in {@link Config}. */
  key: keyof Config
  /** On the command line, without the dashes. */
  flag: string
  env: string
  default: string
  description: string
}

const kebab = (key: string) => key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
const option = (key: keyof Config, defaultText: string, description: string): ConfigOption => ({
  key,
  flag: kebab(key),
  env: `CORUN_${kebab(key).replaceAll('-', '_').toUpperCase()}`,
  default: defaultText,
  description,
})

/** The table that the command line, its help and the README are made from. */
export const configOptions: readonly ConfigOption[] = [
  option('port', '8080', 'Port to listen on; 0 picks a free one and prints it'),
  option('host', '127.0.0.1', 'Address to listen on; any other than loopback needs an admin token'),
  option('functions', 'functions', 'Folder of functions'),
  option('data', '.corun', 'Folder of everything that must survive: state, models, samples, runs'),
  option('profiles', 'profiles', 'Folder of measured profiles'),
  option('provider', 'auto', `Execution provider: ${providerChoices.join(', ')}`),
  option('memoryBudget', '80 % of memory', 'Bytes that inference and training together may take'),
  option('adminToken', 'none', 'Bearer token for every /api request that changes something'),
  option('bodyLimit', '16777216', 'Largest request body in bytes'),
  option('queueLimit', '256', 'Requests that may wait for a slot; more are answered 503'),
  option(
    'samplesPerLabel',
    '2000',
    'Samples of a label that are kept; a new one then replaces one at random',
  ),
  option('sampleBytes', '1073741824', 'Bytes that the samples of a function may take'),
  option(
    'trainingShare',
    '0.05',
    'What a retraining gets at the least, of what it would get alone, under full load; 0 to 0.5',
  ),
  option('corsOrigins', 'none', 'Origins whose pages may call functions, joined by commas, or *'),
  option('apiCorsOrigins', 'none', 'Origins whose pages may call /api'),
  option('asyncTtl', '3600', 'Seconds that the result of an asynchronous invocation is kept'),
  option('asyncLimit', '10000', 'Asynchronous invocations on disk, waiting or done; more are answered 503'),
  option('asyncBytes', '536870912', 'Bytes that they may take on disk'),
  option('callbackSecret', 'none', 'Secret that callbacks are signed with (Standard Webhooks, whsec_...)'),
  option('callbackHosts', 'any', 'Hosts that callbacks may go to, joined by commas'),
  option('shutdownGrace', '30000', 'Milliseconds that a stop waits for requests in flight'),
  option(
    'deadlineGrace',
    '5000',
    'Milliseconds after its deadline when a request that still runs loses its thread',
  ),
  option(
    'threadMemory',
    '1 GiB or less',
    'Bytes by which the process may grow in one request; its thread is then ended (a quarter of the budget at most)',
  ),
  option(
    'threadReloads',
    '200',
    'Reloads after which a thread is replaced, since imported modules are never freed',
  ),
  option(
    'keepVersions',
    '5',
    'Earlier versions of a model that are kept, beside the last one and pinned ones',
  ),
  option(
    'keepWarm',
    '600',
    'Seconds that the version before stays loaded after a promotion, so that a rollback is instant; 0: not at all',
  ),
  option('logLevel', 'info', 'trace, debug, info, warn, error or silent; JSON lines on standard error'),
]

/** Reads configuration. Options that are undefined fall through to the environment, then to the default. */
export function readConfig(
  options: Partial<Record<keyof Config, unknown>> = {},
  env: Record<string, string | undefined> = {},
): Config {
  const given: Record<string, unknown> = {}
  for (const { key, env: name } of configOptions) {
    const value = [options[key], env[name]].find(value => value !== undefined && value !== '')
    if (value !== undefined) given[key] = value
  }
  const result = configSchema.safeParse(given)
  if (!result.success) throw new CorunError('invalid-config', issuesText(result.error))
  const config = result.data
  if (!isLoopback(config.host) && config.adminToken === undefined) {
    throw new CorunError(
      'invalid-config',
      `host "${config.host}" is not a loopback address and no admin token is set; expected --admin-token or CORUN_ADMIN_TOKEN`,
    )
  }
  return config
}

/** `host`: a name, or an address without brackets and port. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** How many requests run at once, and with how many threads inside a session. */
export interface OperatingPoint {
  /** Pool threads, one inference each. */
  threads: number
  /** onnxruntime's intra-op threads a session. */
  intraOpThreads: number
  /** The most requests of one function that share a thread's run when all are busy. Default 1. */
  batch?: number | undefined
  /** How a retraining runs beside it: its threads, and for the function that was measured, pictures at once. */
  trainer?: { threads: number; microBatch: number; function: string } | null | undefined
}

export interface OperatingPoints {
  alone: OperatingPoint
  besideTraining: OperatingPoint
}

/** In force until a profile of this box exists: a thread a core, and the same beside the low-priority trainer. */
export function safeOperatingPoints(cores: number): OperatingPoints {
  return {
    alone: { threads: cores, intraOpThreads: 1 },
    besideTraining: { threads: cores, intraOpThreads: 1 },
  }
}
