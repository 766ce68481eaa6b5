/** What happened to a function, as a line for whoever watches the terminal: pure. */
import { relative } from 'node:path'
import type { RegistryChange } from '../registry/registry.ts'

/** Paths are told from `from`, as an editor's terminal understands them: `functions/a/function.ts:3:7`. */
export function changeLine(change: RegistryChange, from: string): string {
  if (change.type === 'removed') return `- ${change.name} is removed`
  const { name, deployment, lastError } = change.entry
  if (lastError === undefined) return `+ ${name} is live (${deployment?.id})`
  const { code, message, file, line, column } = lastError
  const place = [file && relative(from, file), line, line && column !== undefined ? column + 1 : undefined]
  const where = place.filter(part => part !== undefined && part !== '').join(':')
  const still = deployment === undefined ? 'answers 503' : `serves on as ${deployment.id}`
  return `x ${name} ${still}: ${code}\n  ${where}${where && ' '}${message.replaceAll('\n', '\n  ')}`
}
