/** One task at a time, in the order of asking: what keeps a file to one writer. Knows nothing of files. */
export type Serial = <Result>(task: () => Promise<Result>) => Promise<Result>

/** A task that fails is its caller's to handle; the next one runs all the same. */
export function createSerial(): Serial {
  let last: Promise<unknown> = Promise.resolve()
  return task => {
    const result = last.then(task)
    last = result.catch(() => undefined)
    return result
  }
}
