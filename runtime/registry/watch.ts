/**
 * Tells the registry when to look: soon after a file of a function has changed, and every few seconds in any case,
 * since some file systems tell of nothing. What has changed, and what follows from it, is the registry's to find.
 */
import { join, sep } from 'node:path'
import { watch as watchFiles } from 'chokidar'
import type { Logger } from '../observe/log.ts'
import type { Registry } from './registry.ts'
import { createSettle } from './settle.ts'

export interface WatchOptions {
  registry: Pick<Registry, 'refresh' | 'watchedFiles' | 'onChange'>
  functionsDir: string
  log: Logger
  /** Between two looks without an event. Default 5,000. */
  rescanMs?: number
}

export interface Watch {
  /** Resolves when changes are told as they come; what came before is found by a look then. */
  ready: Promise<void>
  /** Takes no more events; resolves when the last look has ended. */
  close(): Promise<void>
}

/**
 * How long nothing must have happened before it is looked at: an editor writes a file in several steps. More than the
 * 50 ms in which chokidar keeps further changes of a file to itself, so that a look comes after each of them.
 */
const quietMs = 60
/** A folder in which something happens all the time is looked at nonetheless. */
const mostQuiets = 25

export function watchFunctions(options: WatchOptions): Watch {
  const { registry, functionsDir, log, rescanMs = 5000 } = options
  let looking: Promise<unknown> = Promise.resolve()
  let closed = false

  const look = (paths: ReadonlySet<string>, retry: boolean) => {
    looking = registry
      .refresh(paths, { retry })
      .catch(error => log.error({ err: error }, 'the functions folder was not looked at'))
  }
  const settle = createSettle({ quietMs, mostMs: quietMs * mostQuiets }, paths => look(paths, false))
  // Of the functions folder, what lies in it and in the folders of functions: a file of theirs may come or go.
  const watcher = watchFiles([functionsDir, ...registry.watchedFiles()], {
    ignoreInitial: true,
    ignored: path => isBeside(path, functionsDir),
    depth: 1,
  })
  watcher.on('all', (_event, path) => settle.event(path))
  watcher.on('error', error =>
    log.warn({ err: error, rescanMs }, 'changes are not told: functions are looked at from time to time'),
  )
  const ready = new Promise<void>(resolve => {
    watcher.once('ready', () => {
      settle.event(functionsDir)
      resolve()
    })
  })

  let watched = registry.watchedFiles()
  const stopFollowing = registry.onChange(() => {
    const now = registry.watchedFiles()
    watcher.add([...now].filter(file => !watched.has(file)))
    watcher.unwatch([...watched].filter(file => !now.has(file) && !file.startsWith(functionsDir + sep)))
    watched = now
  })
  let rescan: NodeJS.Timeout | undefined
  const rescanLater = () => {
    rescan = setTimeout(async () => {
      look(new Set(), true)
      await looking
      if (!closed) rescanLater()
    }, rescanMs).unref()
  }
  rescanLater()

  return {
    ready,
    async close() {
      closed = true
      clearTimeout(rescan)
      settle.close()
      stopFollowing()
      await watcher.close()
      await looking
    },
  }
}

/** Packages and hidden files are watched only where a bundle has them, by their own path. */
function isBeside(path: string, functionsDir: string): boolean {
  if (!path.startsWith(join(functionsDir, sep))) return false
  return /^(?:[^/\\]+[/\\])?(?:node_modules|\.[^/\\]*)$/.test(path.slice(functionsDir.length + 1))
}
