/** The Prefer header (RFC 7240), as far as it is understood here. */

/** Whether the caller would rather not wait. */
export function prefersAsync(header: string | undefined): boolean {
  const preferences = (header ?? '').split(',').map(part => (part.split(';')[0] ?? '').trim().toLowerCase())
  return preferences.includes('respond-async')
}
