/** What a sample's label says to a model: text as apps send it, numbers as a loss takes them. */
import type { Loss } from './definition.ts'

/** A row of targets, a number a label of the model. Undefined when the text is no label of such a model. */
export function targetsOf(text: string, loss: Loss, labels: readonly string[]): Float32Array | undefined {
  const parts = text.split(',').map(part => part.trim())
  switch (loss) {
    case 'softmax-cross-entropy':
      return labels.includes(text) ? Float32Array.from(labels, label => (label === text ? 1 : 0)) : undefined
    case 'binary-cross-entropy': {
      const named = parts.filter(part => part !== '')
      if (!named.every(part => labels.includes(part))) return undefined
      return Float32Array.from(labels, label => (named.includes(label) ? 1 : 0))
    }
    case 'mean-squared-error': {
      const numbers = parts.map(part => (part === '' ? Number.NaN : Number(part)))
      const fits = numbers.length === labels.length && numbers.every(Number.isFinite)
      return fits ? Float32Array.from(numbers) : undefined
    }
  }
}

/** What a label must be, for a person. */
export function expectedLabel(loss: Loss, labels: readonly string[]): string {
  const list = labels.join(', ')
  switch (loss) {
    case 'softmax-cross-entropy':
      return `one of ${list}`
    case 'binary-cross-entropy':
      return `any of ${list}, joined by commas`
    case 'mean-squared-error':
      return `a number for each of ${list}, joined by commas`
  }
}
