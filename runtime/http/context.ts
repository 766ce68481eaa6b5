/** What the routes need of the rest of the system, as interfaces: tests of routes bring their own. */
import type { HttpBindings } from '@hono/node-server'
import type { Canaries } from '../canary/canaries.ts'
import type { Config } from '../core/config.ts'
import type { DeployedRetraining, Deployment } from '../core/deployment.ts'
import type { Dispatcher } from '../dispatch/dispatcher.ts'
import type { DriftMonitor } from '../drift/monitor.ts'
import type { Watch } from '../drift/watch.ts'
import type { Invocations } from '../invocations/invocations.ts'
import type { KeyStore } from '../keys/key-store.ts'
import type { Logger } from '../observe/log.ts'
import type { EntryProblem } from '../registry/registry.ts'
import type { ModelControl } from '../retraining/model-control.ts'
import type { Retraining } from '../retraining/retraining.ts'
import type { SampleStore } from '../samples/sample-store.ts'
import type { FunctionSchedules } from '../schedule/function-schedules.ts'

/** A function as `GET /api/functions` shows it. */
export interface FunctionView {
  name: string
  state: string
  deployment?: Deployment | undefined
  lastError?:
    | { code: string; message: string; at: string; file?: string; line?: number; column?: number }
    | undefined
  retraining?: DeployedRetraining | undefined
}

export type HttpConfig = Pick<
  Config,
  'adminToken' | 'bodyLimit' | 'corsOrigins' | 'apiCorsOrigins' | 'callbackHosts'
>

export interface HttpContext {
  dispatcher: Dispatcher
  functions: {
    list(): FunctionView[]
    get(name: string): FunctionView | undefined
    /** What lies in the functions folder and can be no function. */
    problems(): EntryProblem[]
  }
  retraining: Pick<Retraining, 'list' | 'get' | 'start' | 'pause' | 'resume' | 'cancel'>
  models: ModelControl
  canaries: Pick<Canaries, 'list'>
  keys: KeyStore
  schedules: Pick<FunctionSchedules, 'list' | 'get' | 'run' | 'pause' | 'resume'>
  invocations: Pick<Invocations, 'accept' | 'owner' | 'get'>
  samples: Pick<SampleStore, 'add' | 'list' | 'read' | 'remove' | 'names'>
  /** Throws `unknown-request`. */
  feedback: Watch['feedback']
  drift: Pick<DriftMonitor, 'list' | 'get' | 'reset'>
  metrics: { text(): Promise<string>; contentType: string }
  /** How many there are; each has a session of every model. */
  threads(): number
  /** The profile in force and why these limits. */
  profile(): object
  /** Why the server is not ready; undefined when it is. */
  notReady(): string | undefined
  config: HttpConfig
  log: Logger
}

/** Values that middleware sets for the handlers after it. */
export interface HttpVariables {
  requestId: string
}
export interface HttpEnv {
  Variables: HttpVariables
  /** Node's own request and response; missing when the application is called without a port. */
  Bindings: Partial<HttpBindings>
}
