/**
 * The taking side of an answer that a thread sends piece by piece: a web stream that asks for as much as is read, and
 * ends with the thread's task. The sending side is worker/stream.ts.
 */
import { receiveMessageOnPort } from 'node:worker_threads'
import { CorunError } from '../core/errors.ts'
import { type AnswerHead, type StreamDemand, type StreamStart, streamWindow } from '../core/messages.ts'
import type { Pool } from '../pool/pool.ts'

export interface AnswerStream {
  head: AnswerHead
  body: ReadableStream<Uint8Array>
  /** Whether the reader went away before the end. */
  cancelled(): boolean
  /** The task has ended well: what it sent before is still read. */
  end(): void
  /** The task, or its deadline, has failed: so does the body, after what was sent before. The thread is told to stop. */
  fail(error: unknown): void
}

export function createAnswerStream({ head, port }: Pick<StreamStart, 'head' | 'port'>): AnswerStream {
  let over = false
  let cancelled = false
  let failure: { error: unknown } | undefined
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const say = (demand: StreamDemand) => port.postMessage(demand)

  function finish(): boolean {
    if (over) return false
    for (let sent = receiveMessageOnPort(port); sent !== undefined; sent = receiveMessageOnPort(port)) {
      controller?.enqueue(sent.message)
    }
    over = true
    say('stop')
    port.close()
    return true
  }

  /** Once everything before it has been read: an error would throw away what waits. */
  function breakOff(): void {
    if (failure !== undefined && controller?.desiredSize === streamWindow) controller.error(failure.error)
  }

  const body = new ReadableStream<Uint8Array>(
    {
      start(made) {
        controller = made
      },
      pull() {
        if (over) breakOff()
        else say('more')
      },
      cancel() {
        if (over) return
        over = true
        cancelled = true
        say('stop')
        port.close()
      },
    },
    { highWaterMark: streamWindow },
  )
  port.on('message', piece => {
    if (!over) controller?.enqueue(piece)
  })

  return {
    head,
    body,
    cancelled: () => cancelled,
    end: () => {
      if (finish()) controller?.close()
    },
    fail: error => {
      if (!finish()) return
      failure = { error }
      breakOff()
    },
  }
}

export interface Reception {
  /** Resolves when the answer begins to stream; to undefined when the call has ended without. */
  begun: Promise<AnswerStream | undefined>
  /** The task has ended well and says that it has streamed. Rejects with `client-aborted` when nobody took it all. */
  end(): Promise<void>
  /** The call has ended; with an error, so does what is still read of its stream. */
  close(error?: unknown): void
}

/** Waits for the stream of one call. */
export function receiveStream(expectStream: Pool['expectStream'], key: number): Reception {
  let arrive: (stream: AnswerStream | undefined) => void = () => {}
  const begun = new Promise<AnswerStream | undefined>(resolve => {
    arrive = resolve
  })
  let stream: AnswerStream | undefined
  const forget = expectStream(key, start => {
    stream = createAnswerStream(start)
    arrive(stream)
  })
  return {
    begun,
    async end() {
      // The task's end may overtake the beginning, which came by another port.
      const begunStream = await begun
      begunStream?.end()
      if (begunStream?.cancelled()) {
        throw new CorunError('client-aborted', 'the caller went away before the end of the answer')
      }
    },
    close(error) {
      forget()
      if (error !== undefined) stream?.fail(error)
      arrive(undefined)
    },
  }
}
