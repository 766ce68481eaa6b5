/** The signal of one request: aborts at its deadline, or when its answer is no longer wanted. Made when it is asked for. */

export interface Deadline {
  readonly signal: AbortSignal
  abort(reason: unknown): void
}

export function createDeadline(remainingMs: number): Deadline {
  const endsAt = performance.now() + remainingMs
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  return {
    get signal() {
      timer ??= setTimeout(
        () => controller.abort(new DOMException('The deadline of the request has passed', 'TimeoutError')),
        Math.max(0, Math.ceil(endsAt - performance.now())),
      ).unref()
      return controller.signal
    },
    abort(reason) {
      clearTimeout(timer)
      controller.abort(reason)
    },
  }
}
