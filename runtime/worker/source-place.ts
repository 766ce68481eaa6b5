/** Where in the author's source an error was thrown, from its stack: pure. The thread's source maps have done the rest. */
import { fileURLToPath } from 'node:url'

export interface SourcePlace {
  /** Absolute path. */
  file?: string
  /** From 1. */
  line?: number
  /** From 0. */
  column?: number
}

/** The innermost frame that is of no package, not Node's, and not the `bundle` itself; nothing when there is none. */
export function placeOf(error: unknown, bundle: string): SourcePlace {
  const stack = error instanceof Error && typeof error.stack === 'string' ? error.stack : ''
  for (const [, where = '', line, column] of stack.matchAll(frame)) {
    const file = where.startsWith('file:') ? fileURLToPath(where) : where
    if (/[\\/]node_modules[\\/]/.test(file) || file === bundle) continue
    return { file, line: Number(line), column: Number(column) - 1 }
  }
  return {}
}

/** `at name (/path/function.ts:3:7)`, `at file:///path/function.ts:3:7` */
const frame = /^\s+at (?:.*\()?((?:file:\/\/)?(?:\/|[A-Za-z]:\\)[^():]*):(\d+):(\d+)\)?$/gm
