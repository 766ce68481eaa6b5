/** Who may call a function whose definition says `auth: 'key'`: the bearer of one of its keys. */
import { CorunError } from '../core/errors.ts'
import type { KeyStore } from '../keys/key-store.ts'

const headerName = 'x-corun-key'

/** Throws `invalid-key`. */
export function checkKey(keys: Pick<KeyStore, 'opens'>, name: string, headers: Headers): void {
  const bearer = /^Bearer (.+)$/i.exec(headers.get('authorization') ?? '')?.[1]
  const key = headers.get(headerName) ?? bearer
  if (key === undefined) throw new CorunError('invalid-key', `function "${name}" needs a key`)
  if (!keys.opens(name, key)) {
    throw new CorunError('invalid-key', `the key that was sent is no key of function "${name}"`)
  }
}

/** What has been checked goes no further: neither to the handler nor to a disk. */
export const withoutKey = (headers: [string, string][]): [string, string][] =>
  headers.filter(([name]) => name !== headerName && name !== 'authorization')
