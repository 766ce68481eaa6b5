/** The fonts that lines are drawn with: three collections that share no family, read from @fontsource packages. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import opentype, { type Font } from 'opentype.js'
import type { Random } from './random.ts'

export type FontKind = 'printed' | 'held-out' | 'handwriting'

interface Family {
  /** Package below @fontsource/. */
  name: string
  /** Weight and style of the files, as @fontsource names them. */
  styles: readonly [string, ...string[]]
}

const text = ['400-normal', '700-normal', '400-italic'] as const

export const families: Record<FontKind, readonly [Family, ...Family[]]> = {
  printed: [
    { name: 'lato', styles: text },
    { name: 'pt-sans', styles: text },
    { name: 'oswald', styles: ['400-normal', '600-normal'] },
    { name: 'courier-prime', styles: text },
    { name: 'libre-baskerville', styles: text },
    { name: 'overlock', styles: text },
    { name: 'quattrocento', styles: ['400-normal', '700-normal'] },
  ],
  'held-out': [
    { name: 'crimson-text', styles: text },
    { name: 'arvo', styles: text },
    { name: 'karla', styles: text },
    { name: 'share-tech-mono', styles: ['400-normal'] },
  ],
  handwriting: [
    { name: 'kalam', styles: ['400-normal', '700-normal'] },
    { name: 'patrick-hand', styles: ['400-normal'] },
    { name: 'indie-flower', styles: ['400-normal'] },
    { name: 'shadows-into-light', styles: ['400-normal'] },
    { name: 'reenie-beanie', styles: ['400-normal'] },
    { name: 'gochi-hand', styles: ['400-normal'] },
    { name: 'dancing-script', styles: ['400-normal', '700-normal'] },
  ],
}

/** Every family is as likely, however many styles it has. */
export function pickFont(random: Random, kind: FontKind): Promise<Font> {
  const family = random.pick(families[kind])
  return fontOf(family.name, random.pick(family.styles))
}

const require = createRequire(import.meta.url)
// Reading a font takes up to 40 ms, a picture a few: files do not change, so they are read once.
const fonts = new Map<string, Promise<Font>>()

function fontOf(name: string, style: string): Promise<Font> {
  const file = `@fontsource/${name}/files/${name}-latin-${style}.woff`
  const known = fonts.get(file) ?? readFont(file)
  fonts.set(file, known)
  return known
}

async function readFont(file: string): Promise<Font> {
  const bytes = await readFile(require.resolve(file))
  return opentype.parse(new Uint8Array(bytes).buffer)
}
