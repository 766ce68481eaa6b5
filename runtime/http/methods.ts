/** Which methods go where: pure, over what functions declare and over the routes there are. */
import type { FunctionDescription } from '../core/definition-schema.ts'

/** Those that carry an input; undefined: any, since a handler without a declared input may tell them apart itself. */
export function functionMethods({ input }: Pick<FunctionDescription, 'input'>): string[] | undefined {
  return input.kind === 'image' || input.kind === 'json' ? ['POST', 'PUT', 'PATCH'] : undefined
}

/** Web requests have none of these: no handler could see them. */
export const isForbiddenMethod = (method: string): boolean => /^(?:TRACE|TRACK|CONNECT)$/i.test(method)

/** What a function without declared methods is asked with. */
export const usualMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

export interface RouteInfo {
  method: string
  /** With `:name` for a part, and `*` for the rest. */
  path: string
}

/** What a path can be asked, for the Allow header; empty when there is nothing at that path. */
export function allowedMethods(routes: readonly RouteInfo[], path: string): string[] {
  const found = new Set(
    routes.filter(route => route.method !== 'ALL' && matches(route.path, path)).map(({ method }) => method),
  )
  if (found.has('GET')) found.add('HEAD')
  if (found.size > 0) found.add('OPTIONS')
  return [...found]
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/')
  const given = path.split('/')
  if (wanted.at(-1) === '*') return false
  return (
    wanted.length === given.length &&
    wanted.every((part, at) => (part.startsWith(':') ? given[at] !== '' : part === given[at]))
  )
}
