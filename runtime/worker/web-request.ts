/**
 * The web `Request` of an invocation. Node makes a stream, an abort signal and finalizers for each real one, which
 * takes longer than a short handler: what most handlers read is told from the invocation itself, and the real one is
 * made when somebody asks for more.
 */
import type { InvocationRequest } from '../core/messages.ts'

/** `request instanceof Request`; the body is there whole, and is read once. */
export function toWebRequest(request: InvocationRequest): Request {
  return passesForRequest()
    ? (new StandIn(request) as unknown as Request)
    : realRequest(request, request.headers)
}

function bodyOf({ method, body }: InvocationRequest): Uint8Array<ArrayBuffer> | undefined {
  const bodyless = method === 'GET' || method === 'HEAD' || body.byteLength === 0
  // The bytes came alone over a thread border: their buffer is no SharedArrayBuffer.
  return bodyless ? undefined : (body as Uint8Array<ArrayBuffer>)
}

function realRequest(request: InvocationRequest, headers: Headers | [string, string][]): Request {
  const { method, url } = request
  const body = bodyOf(request)
  return new Request(url, body === undefined ? { method, headers } : { method, headers, body })
}

type Reading = 'arrayBuffer' | 'json' | 'text'

class StandIn {
  readonly #request: InvocationRequest
  #url: string | undefined
  #headers: Headers | undefined
  #used = false
  #real: Request | undefined

  constructor(request: InvocationRequest) {
    this.#request = request
  }

  get method(): string {
    return this.#request.method
  }

  get url(): string {
    this.#url ??= new URL(this.#request.url).href
    return this.#url
  }

  get headers(): Headers {
    this.#headers ??= new Headers(this.#request.headers)
    return this.#real?.headers ?? this.#headers
  }

  get bodyUsed(): boolean {
    return this.#real?.bodyUsed ?? this.#used
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    // Its own, as from a real one: who reads may do with it what he wants.
    return this.#read('arrayBuffer', body => body.slice().buffer)
  }

  text(): Promise<string> {
    return this.#read('text', decode)
  }

  json(): Promise<unknown> {
    return this.#read('json', body => JSON.parse(decode(body)))
  }

  async #read<Result>(how: Reading, whole: (body: Uint8Array<ArrayBuffer>) => Result): Promise<Result> {
    // The real one refuses a second reading in its own words.
    if (this.#real !== undefined || this.#used) return this.real[how]() as Promise<Result>
    const body = bodyOf(this.#request)
    this.#used = body !== undefined
    return whole(body ?? new Uint8Array())
  }

  get real(): Request {
    if (this.#real === undefined) {
      this.#real = realRequest(this.#request, this.headers)
      if (this.#used) void this.#real.arrayBuffer()
    }
    return this.#real
  }
}

const decode = (body: Uint8Array) => new TextDecoder().decode(body)

let passes: boolean | undefined

/**
 * Whether Node's own `new Request(request)` and `fetch(request)` take a stand-in: they look at fields of their own,
 * which some versions keep under symbols, where a stand-in can tell them too, and others in private.
 */
function passesForRequest(): boolean {
  passes ??= standIn()
  return passes
}

function standIn(): boolean {
  const sample = new Request('http://sample/', { method: 'POST', body: 'sample' })
  const own = new Set(Reflect.ownKeys(StandIn.prototype))
  for (const key of [...Reflect.ownKeys(Request.prototype), ...Reflect.ownKeys(sample)]) {
    if (own.has(key) || key === Symbol.toStringTag) continue
    Object.defineProperty(StandIn.prototype, key, {
      configurable: true,
      get(this: StandIn) {
        const value: unknown = Reflect.get(this.real, key)
        return typeof value === 'function' ? value.bind(this.real) : value
      },
    })
  }
  Object.defineProperty(StandIn.prototype, 'constructor', { value: Request })
  Object.setPrototypeOf(StandIn.prototype, Request.prototype)
  try {
    const light = new StandIn({
      requestId: '',
      method: 'POST',
      url: 'http://sample/',
      headers: [['x-sample', 'yes']],
      body: Uint8Array.of(1),
    })
    const copy = new Request(light as unknown as Request)
    return copy.method === 'POST' && copy.headers.get('x-sample') === 'yes' && copy.body !== null
  } catch {
    return false
  }
}
