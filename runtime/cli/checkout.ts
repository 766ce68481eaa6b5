/** Commands that measure or show this program itself, and need what its package leaves out. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CorunError } from '../core/errors.ts'
import { packageRoot } from '../core/package-root.ts'

/** `packages`: those of development that the command uses. Throws `needs-checkout`, and names what is missing. */
export function requireCheckout(command: 'bench' | 'demo', packages: readonly string[]): void {
  const programs = join(packageRoot, 'scripts', command)
  const missing = existsSync(programs) ? packages.find(name => !isInstalled(name)) : programs
  if (missing === undefined) return
  throw new CorunError(
    'needs-checkout',
    `corun ${command} runs in a clone of its repository, with its development packages; ${missing} is not there`,
  )
}

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}
