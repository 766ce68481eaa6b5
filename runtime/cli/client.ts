/** Commands that speak to a running server: found through the data directory's lock. */
import { z } from 'zod'
import type { Config } from '../core/config.ts'
import { CorunError, isErrorCode } from '../core/errors.ts'

const problemSchema = z.object({ code: z.string(), detail: z.string().optional(), title: z.string() })

export interface ServerClient {
  get<T>(path: string): Promise<T>
  /** `body`: bytes as they are, anything else as JSON. */
  post<T>(path: string, body?: unknown): Promise<T>
  delete<T>(path: string): Promise<T>
  bytes(path: string): Promise<Uint8Array>
}

/** Sends a request and answers what came back: `fetch`, or the application without a port. */
export type SendRequest = (url: URL, init: RequestInit) => Response | Promise<Response>

export function createServerClient(
  url: string,
  config: Pick<Config, 'adminToken'>,
  send: SendRequest = fetch,
): ServerClient {
  async function call(method: string, path: string, body?: unknown): Promise<Response> {
    const headers: Record<string, string> = {}
    if (config.adminToken !== undefined) headers.authorization = `Bearer ${config.adminToken}`
    const init: RequestInit = { method, headers }
    // Bytes were read alone from a file: their buffer is no SharedArrayBuffer.
    if (body instanceof Uint8Array) init.body = body as Uint8Array<ArrayBuffer>
    else if (body !== undefined) {
      headers['content-type'] = 'application/json'
      init.body = JSON.stringify(body)
    }
    const response = await send(new URL(path, url), init)
    if (response.ok) return response
    const problem = problemSchema.safeParse(await response.json().catch(() => undefined))
    const { code, detail, title } = problem.data ?? { code: '', title: String(response.status) }
    // The server is this same version: it knows no other codes.
    if (isErrorCode(code)) throw new CorunError(code, detail ?? title)
    throw new CorunError('internal-error', `the server at ${url} answered ${code || title}`)
  }
  // The server is this same version: its answers are of the types that it is written with.
  const json = async <T>(response: Promise<Response>) => (await (await response).json()) as T
  return {
    get: path => json(call('GET', path)),
    post: (path, body) => json(call('POST', path, body)),
    delete: path => json(call('DELETE', path)),
    bytes: async path => new Uint8Array(await (await call('GET', path)).arrayBuffer()),
  }
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
