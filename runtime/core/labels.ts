/** What a sample's label says to a model: text as apps send it, numbers as a loss takes them. */
import type { Loss } from './retraining-definition.ts'

/** Whether a class may be called so: 1 to 100 characters that a folder's name and a list with commas can hold. */
export const isLabelName = (text: string): boolean =>
  /^[^\p{C},/\\]{1,100}$/u.test(text) && text.trim() === text && !text.startsWith('.')

/** The labels that a text names, known or not: those of a list for `binary-cross-entropy`, else itself. */
export function namedLabels(text: string, loss: Loss): string[] {
  if (loss === 'mean-squared-error') return []
  if (loss === 'softmax-cross-entropy') return [text]
  return text
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '')
}

/** What a retraining makes of its model's labels: a list takes their place, `open` lets samples add to them. */
export type WantedLabels = readonly string[] | 'open' | undefined

/** The labels that are known beforehand to be those of the next version. */
export const knownLabels = (labels: readonly string[], wanted: WantedLabels): readonly string[] =>
  wanted === undefined || wanted === 'open' ? labels : wanted

/** Whether a sample may carry the text as its label. */
export function takesLabel(
  text: string,
  loss: Loss,
  labels: readonly string[],
  wanted: WantedLabels,
): boolean {
  if (wanted === 'open' && loss !== 'mean-squared-error') return namedLabels(text, loss).every(isLabelName)
  return targetsOf(text, loss, knownLabels(labels, wanted)) !== undefined
}

/** So many samples to train on make a label that the model does not know a class of an `open` retraining. */
export const leastOfNewClass = 5

/**
 * The classes of the next version. With `open` they are the model's, in their order, and then the labels that at least
 * {@link leastOfNewClass} of the `texts` name, in the order of their first.
 */
export function nextLabels(
  labels: readonly string[],
  wanted: WantedLabels,
  texts: readonly string[],
  loss: Loss,
): string[] {
  if (wanted !== 'open') return [...knownLabels(labels, wanted)]
  const counts = new Map<string, number>()
  for (const text of texts) {
    for (const label of new Set(namedLabels(text, loss))) counts.set(label, (counts.get(label) ?? 0) + 1)
  }
  const added = [...counts].filter(([label, count]) => count >= leastOfNewClass && !labels.includes(label))
  return [...labels, ...added.map(([label]) => label)]
}

/** A row of targets, a number a label of the model. Undefined when the text is no label of such a model. */
export function targetsOf(text: string, loss: Loss, labels: readonly string[]): Float32Array | undefined {
  switch (loss) {
    case 'softmax-cross-entropy':
      return labels.includes(text) ? Float32Array.from(labels, label => (label === text ? 1 : 0)) : undefined
    case 'binary-cross-entropy': {
      const named = namedLabels(text, loss)
      if (!named.every(part => labels.includes(part))) return undefined
      return Float32Array.from(labels, label => (named.includes(label) ? 1 : 0))
    }
    case 'mean-squared-error': {
      const parts = text.split(',').map(part => part.trim())
      const numbers = parts.map(part => (part === '' ? Number.NaN : Number(part)))
      // As float32: what is finite before may be infinite then.
      const fits =
        numbers.length === labels.length && numbers.every(number => Number.isFinite(Math.fround(number)))
      return fits ? Float32Array.from(numbers) : undefined
    }
  }
}

/** What a label must be, for a person. */
export function expectedLabel(loss: Loss, labels: readonly string[], wanted?: WantedLabels): string {
  const open = wanted === 'open' && loss !== 'mean-squared-error'
  const known = knownLabels(labels, wanted).join(', ')
  const list = open
    ? `${known} or a new one (1 to 100 letters, no comma or slash, no dot at its start)`
    : known
  switch (loss) {
    case 'softmax-cross-entropy':
      return `one of ${list}`
    case 'binary-cross-entropy':
      return `any of ${list}, joined by commas`
    case 'mean-squared-error':
      return `a number for each of ${list}, joined by commas`
  }
}
