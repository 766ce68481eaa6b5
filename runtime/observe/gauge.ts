/** A gauge whose values are read when metrics are scraped: what is not told any more is not shown any more. */
import { Gauge, type Registry } from 'prom-client'

export interface GaugeText {
  /** As Prometheus has it: letters, digits and underscores, the unit last. */
  name: string
  help: string
  /** Names of its labels. Default: it has one value, and no labels. */
  labels?: readonly string[]
}

/** `read` answers each value with its labels. */
export function addGauge(
  registers: Registry[],
  { name, help, labels = [] }: GaugeText,
  read: () => Iterable<readonly [labels: Record<string, string | number>, value: number]>,
): void {
  new Gauge({
    name,
    help,
    labelNames: labels,
    registers,
    collect() {
      this.reset()
      for (const [labels, value] of read()) this.set(labels, value)
    },
  })
}
