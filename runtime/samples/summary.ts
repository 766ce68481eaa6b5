/** What a function has collected, in numbers: pure. */
import type { Sample } from './sample-store.ts'

export interface LabelSummary {
  label: string
  count: number
  bytes: number
  /** Samples by the side of the split that they are on. */
  split: Partial<Record<Sample['split'], number>>
  /** ISO 8601. */
  oldest: string
  newest: string
}

export interface SampleSummary {
  function: string
  count: number
  bytes: number
  labels: LabelSummary[]
}

export function summarize(name: string, samples: readonly Sample[]): SampleSummary {
  const labels = new Map<string, LabelSummary>()
  for (const { label, bytes, split, at } of samples) {
    const known = labels.get(label) ?? { label, count: 0, bytes: 0, split: {}, oldest: at, newest: at }
    labels.set(label, known)
    known.count += 1
    known.bytes += bytes
    known.split[split] = (known.split[split] ?? 0) + 1
    if (at < known.oldest) known.oldest = at
    if (at > known.newest) known.newest = at
  }
  return {
    function: name,
    count: samples.length,
    bytes: samples.reduce((sum, { bytes }) => sum + bytes, 0),
    labels: [...labels.values()].sort((a, b) => (a.label < b.label ? -1 : 1)),
  }
}
