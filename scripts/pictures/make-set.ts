/** A set of pictures with as many of each label, from one seed. */
import { drawLine, type LineOptions, labels, type Picture } from './draw-line.ts'
import { seedOf } from './random.ts'

export interface SetOptions extends Omit<LineOptions, 'label'> {
  count: number
}

/** Labels alternate. Sets of one seed that differ in their drift show the same lines. */
export async function makeSet({ count, seed, ...line }: SetOptions): Promise<Picture[]> {
  const pictures: Picture[] = []
  // A few at a time: sharp's part of the work runs beside the next picture's own.
  for (let first = 0; first < count; first += lanes) {
    const indices = Array.from({ length: Math.min(lanes, count - first) }, (_, lane) => first + lane)
    pictures.push(
      ...(await Promise.all(
        indices.map(index =>
          drawLine({ ...line, seed: seedOf(seed, index), label: labels[index % 2] ?? 'upright' }),
        ),
      )),
    )
  }
  return pictures
}

const lanes = 8
