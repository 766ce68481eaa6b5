/**
 * Keys of functions: made, listed and revoked. A key is shown once, when it is made; what is kept is its hash. It has 256
 * random bits, so a plain hash is as good as a slow one.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../core/clock.ts'
import { CorunError } from '../core/errors.ts'
import { openState } from '../state/state-file.ts'

export const keyInfoSchema = z.object({
  id: z.string(),
  /** The only one that it opens. */
  function: z.string(),
  /** What its maker wrote down to know it by. */
  note: z.string().optional(),
  createdAt: z.string(),
})
export type KeyInfo = z.output<typeof keyInfoSchema>

const stateSchema = z.object({
  version: z.literal(1),
  keys: z.array(keyInfoSchema.extend({ sha256: z.string() })),
})

export interface KeyStore {
  /** The key itself is in this answer, and nowhere else. */
  make(name: string, note?: string): Promise<KeyInfo & { key: string }>
  list(): KeyInfo[]
  /** Throws `unknown-key`. */
  revoke(id: string): Promise<KeyInfo>
  /** Whether `key` is a key of this function. Takes the same time for every wrong one. */
  opens(name: string, key: string): boolean
}

const digest = (text: string) => createHash('sha256').update(text).digest()

export async function openKeyStore({ dataDir, clock }: { dataDir: string; clock: Clock }): Promise<KeyStore> {
  const state = await openState(join(dataDir, 'state', 'keys.json'), stateSchema, { version: 1, keys: [] })
  const shown = ({ sha256: _, ...info }: z.output<typeof stateSchema>['keys'][number]): KeyInfo => info
  return {
    async make(name, note) {
      const key = `corun_${randomBytes(32).toString('base64url')}`
      const info: KeyInfo = {
        id: randomBytes(4).toString('hex'),
        function: name,
        ...(note === undefined ? {} : { note }),
        createdAt: new Date(clock.now()).toISOString(),
      }
      await state.update(({ keys }) => keys.push({ ...info, sha256: digest(key).toString('hex') }))
      return { ...info, key }
    },
    list: () => state.data.keys.map(shown),
    revoke: id =>
      state.update(draft => {
        const revoked = draft.keys.find(key => key.id === id)
        if (revoked === undefined) throw new CorunError('unknown-key', `there is no key "${id}"`)
        draft.keys = draft.keys.filter(key => key !== revoked)
        return shown(revoked)
      }),
    opens(name, key) {
      const given = digest(key)
      // All of them, whichever fits: how long it takes tells nothing.
      return state.data.keys
        .filter(known => known.function === name)
        .reduce((found, { sha256 }) => timingSafeEqual(given, Buffer.from(sha256, 'hex')) || found, false)
    },
  }
}
