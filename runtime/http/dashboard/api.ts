/** What the page asks of the server, and how it asks it to change something. */
import type { ModelView } from '../../models/model-view.ts'
import type { RetrainingView } from '../../retraining/retraining-view.ts'
import type { FunctionListing } from '../function-view.ts'
import { type Snapshot, snapshotOf } from './history.ts'
import { parseMetrics } from './metrics-text.ts'

export type FunctionRow = FunctionListing & { counters: { ended: number; failed: number; inFlight: number } }

export interface ProfileNow {
  reason: string
  slots: number
  batch: number
  queueLimit: number
  threads: number
  training: boolean
  limits: { why?: string; heldBack: number; p95Ms: number | null; boundMs: number | null }
}

export interface Overview {
  functions: FunctionRow[]
  retraining: RetrainingView[]
  models: ModelView[]
  profile: ProfileNow
  snapshot: Snapshot
  /** Why the server is not ready. */
  notReady: string | undefined
}

export async function fetchOverview(now: () => number): Promise<Overview> {
  const [{ functions }, { retraining }, { models }, profile, metrics, readiness] = await Promise.all([
    json<{ functions: FunctionRow[] }>('api/functions'),
    json<{ retraining: RetrainingView[] }>('api/retraining'),
    json<{ models: ModelView[] }>('api/models'),
    json<ProfileNow>('api/profile'),
    get('metrics').then(response => response.text()),
    fetch('readyz').then(response => response.json() as Promise<{ reason?: string }>),
  ])
  const snapshot = snapshotOf(parseMetrics(metrics), now())
  return { functions, retraining, models, profile, snapshot, notReady: readiness.reason }
}

/** A problem document as an error: its detail, with the code in front. */
export class ApiError extends Error {
  readonly code: string
  constructor(code: string, detail: string) {
    super(`${code}: ${detail}`)
    this.code = code
  }
}

async function get(path: string): Promise<Response> {
  const response = await fetch(path)
  if (!response.ok) throw await problemOf(response)
  return response
}

/** The server and the page are of one version: its answers are what the types say. */
async function json<T>(path: string): Promise<T> {
  return (await get(path)).json() as Promise<T>
}

async function problemOf(response: Response): Promise<ApiError> {
  const problem = await response.json().catch(() => ({}))
  return new ApiError(
    problem.code ?? `status ${response.status}`,
    problem.detail ?? problem.title ?? response.statusText,
  )
}

const tokenKey = 'corun-admin-token'

/** Posts with the admin token of this tab, and asks for one when it is needed. Throws {@link ApiError}. */
export async function post(path: string, body?: object): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const token = sessionStorage.getItem(tokenKey)
    const response = await fetch(path, {
      method: 'POST',
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (response.ok) return
    const problem = await problemOf(response)
    const given = problem.code === 'unauthorized' && tries < 3 ? prompt('Admin token') : null
    if (given === null) throw problem
    sessionStorage.setItem(tokenKey, given)
  }
}
