/** Reads what /metrics answers: enough of the Prometheus text format for counters, gauges and histograms. */

export interface MetricSample {
  name: string
  labels: Record<string, string>
  value: number
}

const line = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?$/
const label = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g

/** Comments, and lines that are none of the format's, are passed over. */
export function parseMetrics(text: string): MetricSample[] {
  return text.split('\n').flatMap(row => {
    const [, name, labels = '', value = ''] = line.exec(row) ?? []
    return name === undefined ? [] : [{ name, labels: parseLabels(labels), value: numberOf(value) }]
  })
}

function parseLabels(text: string): Record<string, string> {
  return Object.fromEntries(
    Array.from(text.matchAll(label), ([, name = '', value = '']) => [name, unescaped(value)]),
  )
}

const unescaped = (value: string) =>
  value.replace(/\\(.)/g, (_, code: string) => (code === 'n' ? '\n' : code))

/** The format writes infinity as `+Inf`. */
function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text)
}
