/** How numbers and times read on the page. */

export function shortHash(hash: string): string {
  return hash.slice(0, 8)
}

export function share(accuracy: number | null | undefined): string {
  return typeof accuracy === 'number' ? accuracy.toFixed(3) : '–'
}

export function count(value: number): string {
  return value.toLocaleString('en')
}

export function milliseconds(value: number | null | undefined): string {
  if (typeof value !== 'number') return '–'
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`
}

export function duration(seconds: number | null | undefined): string {
  if (typeof seconds !== 'number') return '–'
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60
    ? `${minutes} min ${Math.round(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** `at`: ISO 8601. `now`: milliseconds since 1970. */
export function ago(at: string, now: number): string {
  const seconds = Math.round((now - Date.parse(at)) / 1000)
  const [amount, unit] = inUnits(Math.abs(seconds))
  if (seconds < 0) return `in ${amount} ${unit}`
  return seconds < 5 ? 'just now' : `${amount} ${unit} ago`
}

function inUnits(seconds: number): [number, string] {
  if (seconds < 90) return [seconds, 's']
  if (seconds < 5400) return [Math.round(seconds / 60), 'min']
  return seconds < 172_800 ? [Math.round(seconds / 3600), 'h'] : [Math.round(seconds / 86_400), 'days']
}
