/** A body read whole, as long as it stays within a bound. */
import { CorunError } from '../core/errors.ts'

/** Throws `body-too-large`, and cancels what is left of a stream. */
export async function readBounded(
  body: Uint8Array | ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of body instanceof Uint8Array ? [body] : body) {
    pieces.push(piece)
    size += piece.byteLength
    // Leaving the loop cancels the stream.
    if (size > maxBytes) throw new CorunError('body-too-large', `the answer is larger than ${maxBytes} bytes`)
  }
  return new Uint8Array(Buffer.concat(pieces))
}
