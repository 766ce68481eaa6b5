/** From the recognizer's scores to text: connectionist temporal classification (Graves et al., 2006), best path. */

export interface Text {
  text: string
  /** Mean probability of the characters, 0 to 1; 0 without any. */
  score: number
}

/** `probabilities`: float32 [steps, 1 + characters + 1]: the blank first, a space last. */
export function decodeText(probabilities: Float32Array, characters: readonly string[]): Text {
  const classes = characters.length + 2
  let text = ''
  let sum = 0
  let count = 0
  let previous = 0
  for (let step = 0; step < probabilities.length / classes; step += 1) {
    const row = probabilities.subarray(step * classes, (step + 1) * classes)
    let best = 0
    for (let index = 1; index < classes; index += 1) if ((row[index] ?? 0) > (row[best] ?? 0)) best = index
    // A character that goes on is one; after a blank it is another.
    if (best !== 0 && best !== previous) {
      text += best === classes - 1 ? ' ' : (characters[best - 1] ?? '')
      sum += row[best] ?? 0
      count += 1
    }
    previous = best
  }
  return { text, score: count === 0 ? 0 : sum / count }
}
