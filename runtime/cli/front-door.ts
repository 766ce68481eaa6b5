/**
 * The port of a supervised server. While nobody serves, the supervisor listens and keeps what comes; the serving
 * process gets the listening socket itself, so that a request never passes through here.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { listenError } from '../http/server.ts'

export interface FrontDoor {
  /** Whether it listens here. */
  readonly isOpen: boolean
  /** Opens the door again after who had the socket has gone. Retries until it can, or is closed; tells why it could not at first. */
  reopen(onFailure: (error: unknown) => void): Promise<void>
  /** Gives the socket and the connections that wait to `give`, and stops listening here. */
  handOver(give: (handle: Server | Socket, type: 'port' | 'connection') => void): void
  close(): void
}

const retryMs = 50

/** Throws `address-in-use`. */
export async function openFrontDoor(address: { host: string; port: number }): Promise<FrontDoor> {
  let { port } = address
  const waiting = new Set<Socket>()
  let server = await listen()
  let closed = false
  const bound = server.address()
  if (bound !== null && typeof bound === 'object') port = bound.port

  function listen(): Promise<Server> {
    return new Promise((resolve, reject) => {
      // Paused, so that what a client has sent is read by the process that answers it.
      const opened = createServer({ pauseOnConnect: true }, socket => {
        waiting.add(socket)
        socket.on('error', () => socket.destroy())
        socket.once('close', () => waiting.delete(socket))
      })
      opened.once('error', (error: NodeJS.ErrnoException) => {
        reject(listenError(error, { host: address.host, port }))
      })
      opened.listen({ host: address.host, port }, () => resolve(opened))
    })
  }

  return {
    get isOpen() {
      return server.listening
    },
    async reopen(onFailure) {
      for (let tries = 0; !closed; tries += 1) {
        try {
          server = await listen()
          if (closed) server.close()
          return
        } catch (error) {
          if (tries === 0) onFailure(error)
          await new Promise(resolve => setTimeout(resolve, retryMs))
        }
      }
    },
    handOver(give) {
      give(server, 'port')
      for (const socket of waiting) give(socket, 'connection')
      waiting.clear()
      server.close()
    },
    close() {
      closed = true
      server.close()
      for (const socket of waiting) socket.destroy()
    },
  }
}
