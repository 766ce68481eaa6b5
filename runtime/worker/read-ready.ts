/** Reads the part of a body that is there already, and says whether that is all of it. Leaves sending to stream.ts. */
import { CorunError } from '../core/errors.ts'

/** Pieces that are joined into one answer at most; an endless body that never waits is a stream, too. */
const joinedPieces = 16

export interface ReadyPart {
  pieces: Uint8Array[]
  /** Reads on from there; undefined when the body has ended. */
  rest: (() => Promise<Uint8Array | undefined>) | undefined
  cancel(reason: unknown): Promise<void>
}

/**
 * Reads until the body ends, or would have to be waited for past one turn of the event loop: what a handler had at
 * hand is one answer, whatever object it was made from.
 */
export async function readReady(body: ReadableStream<unknown>): Promise<ReadyPart> {
  const reader = body.getReader()
  const turn = new Promise<'wait'>(resolve => setImmediate(() => resolve('wait')))
  const pieces: Uint8Array[] = []
  const cancel = (reason: unknown) => reader.cancel(reason)
  for (;;) {
    const reading = reader.read()
    const next = pieces.length < joinedPieces ? await Promise.race([reading, turn]) : 'wait'
    if (next === 'wait') return { pieces, rest: readOn(reader, reading), cancel }
    if (next.done) return { pieces, rest: undefined, cancel }
    pieces.push(bytesOf(next.value))
  }
}

function readOn(
  reader: ReadableStreamDefaultReader<unknown>,
  begun: ReturnType<ReadableStreamDefaultReader<unknown>['read']>,
): () => Promise<Uint8Array | undefined> {
  let reading: typeof begun | undefined = begun
  // Its failure is met where it is waited for.
  begun.catch(() => {})
  return async () => {
    const next = await (reading ?? reader.read())
    reading = undefined
    return next.done ? undefined : bytesOf(next.value)
  }
}

function bytesOf(piece: unknown): Uint8Array {
  if (piece instanceof Uint8Array) return piece
  throw new CorunError('invalid-output', `a response's body gave ${typeof piece}; expected Uint8Array`)
}

/** One array that owns its buffer: the pieces may be views of what the handler still uses. */
export function join(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.byteLength
  }
  return whole
}
