// Reloads of a function in a running server: a new source each, and live when the server says so.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Reloader {
  /** Resolves when the next version serves. */
  reload(): Promise<void>
}

/** `source` gives another text for every number. */
export async function createReloader(
  server: string,
  functions: string,
  name: string,
  source: (turn: number) => string,
): Promise<Reloader> {
  const version = async () => {
    const response = await fetch(`${server}/api/functions/${name}`)
    const view = (await response.json()) as { version?: string; lastError?: { message: string } }
    if (view.lastError) throw new Error(`function "${name}" was not deployed: ${view.lastError.message}`)
    return view.version
  }
  let live = await version()
  let turn = 0
  return {
    async reload() {
      turn += 1
      await writeFile(join(functions, name, 'function.ts'), source(turn))
      const startedAt = performance.now()
      for (let now = await version(); now === live; now = await version()) {
        if (performance.now() - startedAt > patienceMs) {
          throw new Error(`version ${turn} of "${name}" was not live within ${patienceMs} ms`)
        }
        await new Promise(resolve => setTimeout(resolve, 10))
      }
      live = await version()
    },
  }
}

const patienceMs = 30_000
