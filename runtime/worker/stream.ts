/** An answer that leaves its thread piece by piece, as fast as it is taken. The taking side is dispatch/answer-stream.ts. */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { CorunError } from '../core/errors.ts'
import { type StreamDemand, type StreamStart, streamWindow } from '../core/messages.ts'
import type { Unfinished } from './answer.ts'
import { join } from './read-ready.ts'

/**
 * Sends the head and then the body; resolves when the body has ended, or nobody wants more of it. `post` takes the start with its port. `onStop` is called when the taker wants no more. What the body throws is thrown
 * on, after all that came before it was sent.
 */
export function sendPieces(
  key: number,
  post: (start: StreamStart, transfer: [MessagePort]) => void,
  onStop: (reason: CorunError) => void,
): Unfinished {
  return async (head, { pieces, rest, cancel }) => {
    const { port1: port, port2: taker } = new MessageChannel()
    const demand = listenForDemand(port)
    demand.stopped.then(reason => {
      onStop(reason)
      return cancel(reason)
    }, ignore)
    post({ type: 'stream', key, head, port: taker }, [taker])
    const send = (piece: Uint8Array) => {
      if (piece.byteLength > 0) port.postMessage(piece, [piece.buffer as ArrayBuffer])
    }
    try {
      send(join(pieces))
      while (rest !== undefined && (await demand.wanted())) {
        const piece = await Promise.race([rest(), demand.stopped])
        if (!(piece instanceof Uint8Array)) break
        send(join([piece]))
      }
      return { ...head, body: new Uint8Array(), streamed: true }
    } finally {
      demand.end()
    }
  }
}

const ignore = () => {}

function listenForDemand(port: MessagePort) {
  let credit = streamWindow
  let stop: ((reason: CorunError) => void) | undefined
  let wake: ((wanted: boolean) => void) | undefined
  let ended = false
  const stopped = new Promise<CorunError>(resolve => {
    stop = resolve
  })
  const halt = () => {
    if (ended) return
    ended = true
    stop?.(new CorunError('client-aborted', 'nobody takes the rest of the answer'))
    wake?.(false)
  }
  port.on('message', (demand: StreamDemand) => {
    if (demand === 'stop') return halt()
    credit += 1
    wake?.(true)
  })
  port.on('close', halt)
  return {
    stopped,
    /** Resolves to true when a piece may be sent, to false when no more are wanted. */
    async wanted(): Promise<boolean> {
      while (!ended && credit === 0) {
        await new Promise<boolean>(resolve => {
          wake = resolve
        })
      }
      credit -= 1
      return !ended
    },
    end() {
      ended = true
      port.close()
    },
  }
}
