/**
 * Which accelerators have passed their test on this box, kept in a file so that a start need not repeat it. A failure
 * is not kept: a driver that was repaired is found with the next start.
 */
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import type { Provider } from '../core/config.ts'
import { makeFolder, writeDurably } from '../state/durable-file.ts'

const passedSchema = z.object({
  version: z.literal(1),
  /** What was tested: engine, driver, devices. Anything else makes the list worth nothing. */
  signs: z.string(),
  passed: z.array(z.string()),
})

type Test = (provider: Provider) => Promise<string | undefined>

/** `test`, but only for what has not passed it under the same signs. One test at a time. */
export function rememberTests(file: string, signs: string, test: Test): Test {
  return async provider => {
    const passed = await read(file, signs)
    if (passed.includes(provider)) return undefined
    const why = await test(provider)
    if (why === undefined) {
      await makeFolder(dirname(file))
      await writeDurably(file, JSON.stringify({ version: 1, signs, passed: [...passed, provider] }))
    }
    return why
  }
}

/** A file that is missing, damaged or about something else remembers nothing. */
async function read(file: string, signs: string): Promise<string[]> {
  try {
    const known = passedSchema.parse(JSON.parse(await readFile(file, 'utf8')))
    return known.signs === signs ? known.passed : []
  } catch {
    return []
  }
}
