/** The folder of a label in an export: labels may hold what folders may not, and be longer. Pure. */
import { createHash } from 'node:crypto'

/** A file in the folder of a label that its name does not tell: the label. */
export const labelFile = '.label'

/** File systems take 255. Unit: bytes. */
const mostBytes = 200

/**
 * Percent signs, slashes and leading dots are written as `%` and two hexadecimal digits; no label at all is `%`. A long one
 * is its beginning, `%~` and a part of its hash.
 */
export function folderOfLabel(label: string): string {
  if (label === '') return '%'
  const name = label.replace(/[%/\\]|^\./g, hexadecimal)
  if (Buffer.byteLength(name) <= mostBytes) return name
  const hash = createHash('sha256').update(label).digest('hex')
  return `${[...name].slice(0, 40).join('')}%~${hash.slice(0, 16)}`
}

/** The way back, where the name tells it. A name that is no such form is a label as it is. */
export function labelOfFolder(name: string): string {
  return name === '%'
    ? ''
    : name.replace(/%(25|2f|5c|2e)/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
}

const hexadecimal = (character: string) => `%${character.charCodeAt(0).toString(16)}`
