/** A whole server in this process, over functions that a test writes down: real threads, a real port. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { openSystem } from '../../runtime/cli/system.ts'
import { type Config, readConfig } from '../../runtime/core/config.ts'
import { createApp } from '../../runtime/http/app.ts'
import { listen } from '../../runtime/http/server.ts'
import { type Logger, silentLogger } from '../../runtime/observe/log.ts'

export interface Box {
  url: string
  data: string
  system: Awaited<ReturnType<typeof openSystem>>
  close(): Promise<void>
}

/** `files` are sources by name, or by their path under the functions folder. `data` is kept when it is given. */
export async function openBox(
  files: Record<string, string>,
  options: Partial<Record<keyof Config, unknown>> & { data?: string } = {},
  log: Logger = silentLogger,
  onLogLine?: (line: string) => void,
): Promise<Box> {
  const folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  for (const [name, source] of Object.entries(files)) {
    const file = join(folder, 'functions', name.includes('.') ? name : `${name}.ts`)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, source)
  }
  const config = readConfig({
    port: 0,
    provider: 'cpu',
    logLevel: 'silent',
    functions: join(folder, 'functions'),
    data: join(folder, 'data'),
    profiles: join(folder, 'profiles'),
    ...options,
  })
  const system = await openSystem(config, log, onLogLine)
  const app = createApp({ ...system, functions: system.registry, log })
  const server = await listen(app, config)
  await system.start()
  await system.workUnattended()
  return {
    url: server.url,
    data: config.data,
    system,
    async close() {
      const closed = server.close(10_000)
      await system.close()
      await closed
      await rm(folder, { recursive: true, force: true })
    },
  }
}
