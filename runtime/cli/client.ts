/** Commands that speak to a running server: found through the data directory's lock. */
import { z } from 'zod'
import type { Config } from '../core/config.ts'
import { CorunError } from '../core/errors.ts'

const problemSchema = z.object({ code: z.string(), detail: z.string().optional(), title: z.string() })

export interface ServerClient {
  get<T>(path: string): Promise<T>
  post<T>(path: string, body?: unknown): Promise<T>
}

export function createServerClient(url: string, config: Pick<Config, 'adminToken'>): ServerClient {
  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const headers: Record<string, string> = {}
    if (config.adminToken !== undefined) headers.authorization = `Bearer ${config.adminToken}`
    if (body !== undefined) headers['content-type'] = 'application/json'
    const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) }
    const response = await fetch(new URL(path, url), init)
    const data: unknown = await response.json()
    // The server is this same version: its answers are of the types that it is written with.
    if (response.ok) return data as T
    const problem = problemSchema.safeParse(data)
    const text = problem.success
      ? `${problem.data.code}: ${problem.data.detail ?? problem.data.title}`
      : response.status
    throw new CorunError('internal-error', `the server at ${url} answered ${text}`)
  }
  return { get: path => call('GET', path), post: (path, body) => call('POST', path, body) }
}

/**
 * Runs `online` against the server that holds the data directory, or `offline` when none does. A server that has
 * the lock but does not listen yet is an error, told as it is.
 */
export async function withServerOr<T>(
  config: Config,
  online: (client: ServerClient) => Promise<T>,
  offline: () => Promise<T>,
): Promise<T> {
  try {
    return await offline()
  } catch (error) {
    const url = error instanceof CorunError && error.code === 'data-in-use' ? error.details?.url : undefined
    if (typeof url !== 'string' || !URL.canParse(url)) throw error
    return online(createServerClient(url, config))
  }
}
