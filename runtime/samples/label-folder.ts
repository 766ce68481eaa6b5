/** The folder of a label in an export: labels may hold what folders may not. Pure. */

/** Percent signs, slashes and leading dots are written as `%` and two hexadecimal digits; no label at all is `%`. */
export function folderOfLabel(label: string): string {
  return label === '' ? '%' : label.replace(/[%/\\]|^\./g, hexadecimal)
}

/** The way back. A name that is no such form is a label as it is. */
export function labelOfFolder(name: string): string {
  return name === '%'
    ? ''
    : name.replace(/%(25|2f|5c|2e)/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
}

const hexadecimal = (character: string) => `%${character.charCodeAt(0).toString(16)}`
