/**
 * A file of lines that is moved aside when it is large: `name.log`, then `name.1.log` (newer) to `name.N.log` (oldest).
 * Lines are gathered for a moment before they are written; a crash loses those of the last moment.
 */
import { appendFileSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, extname } from 'node:path'

export interface RotatingFileOptions {
  /** The file is moved aside when it would grow over this. Default 10 MiB. */
  maxBytes?: number
  /** Files that are kept beside it. Default 4. */
  older?: number
  /** How long lines are gathered. Default 100. */
  gatherMs?: number
}

export interface RotatingFile {
  /** Takes whole lines, with their line feed. Nothing is created before the first. */
  write(line: string): void
  /** What was gathered is written now. */
  flush(): void
}

/** The file and its older ones, oldest first: those that may be there. */
export function rotatedNames(file: string, older: number): string[] {
  const suffix = extname(file)
  const stem = file.slice(0, file.length - suffix.length)
  const names = Array.from({ length: older }, (_, at) => `${stem}.${older - at}${suffix}`)
  return [...names, file]
}

export const olderLogs = 4

export function openRotatingFile(file: string, options: RotatingFileOptions = {}): RotatingFile {
  const { maxBytes = 10 * 2 ** 20, older = olderLogs, gatherMs = 100 } = options
  let gathered: string[] = []
  let timer: NodeJS.Timeout | undefined
  let size: number | undefined

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    if (gathered.length === 0) return
    const text = gathered.join('')
    gathered = []
    const bytes = Buffer.byteLength(text)
    try {
      size ??= openSize(file)
      if (size > 0 && size + bytes > maxBytes) {
        rotate()
        size = 0
      }
      appendFileSync(file, text)
      size += bytes
    } catch {
      // A full disk must not stop the server: the lines are on standard error as well.
      size = undefined
    }
  }

  function rotate(): void {
    const names = rotatedNames(file, older)
    for (const [at, name] of names.entries()) {
      const before = names[at - 1]
      if (before === undefined) rmSync(name, { force: true })
      else if (existsSync(name)) renameSync(name, before)
    }
    if (older === 0) rmSync(file, { force: true })
  }

  return {
    write(line) {
      gathered.push(line)
      timer ??= setTimeout(flush, gatherMs).unref()
    },
    flush,
  }
}

function openSize(file: string): number {
  mkdirSync(dirname(file), { recursive: true })
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}
