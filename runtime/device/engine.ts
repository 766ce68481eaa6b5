/** What a compiled model is bound to: the installed engine, and this processor with its features. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, cpus } from 'node:os'

/** Version of the installed engine: its package.json is the one place that says it without loading the engine. */
export function engineVersion(): string {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node/package.json')
  return JSON.parse(readFileSync(entry, 'utf8')).version
}

/** Model and, where the system lists them, instruction sets: a virtual machine may hide some of a model's. */
export function processorSignature(): string {
  return [arch(), cpus()[0]?.model.trim() ?? 'unknown processor', instructionSets()].join(' ')
}

function instructionSets(): string {
  try {
    return /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? ''
  } catch {
    return ''
  }
}
