/** The listening socket: opens the port, says where, and closes without cutting off an answer. */
import { createServer, type Server as NodeServer } from 'node:http'
import { type AddressInfo, Server, type Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import { CorunError } from '../core/errors.ts'
import type { HttpEnv } from './context.ts'
import { answerUnreadable, responseOfUnreadable } from './unreadable.ts'

export interface HttpServer {
  /** `http://host:port`, with the port that was really taken. */
  url: string
  /** Serves a connection that somebody else accepted. */
  accept(socket: Socket): void
  /** Takes no new connections; resolves when the open ones have had their answers, or have been cut off after the grace. */
  close(graceMs: number): Promise<void>
}

/**
 * How long a connection without a request is kept. Longer than clients and proxies keep theirs, mostly up to a minute: a
 * request that is sent just when its connection is closed at this end has no answer.
 */
const keepAliveMs = 75_000

/** On an address, or on a socket that listens already. Throws `address-in-use`. */
export function listen(
  app: Hono<HttpEnv>,
  where: { host: string; port: number } | Server,
): Promise<HttpServer> {
  return new Promise((resolve, reject) => {
    const answer = getRequestListener(app.fetch, { errorHandler: responseOfUnreadable })
    // A request without a host is refused like any other that cannot be read, and not by Node without a word.
    const server = createServer({ requireHostHeader: false, keepAliveTimeout: keepAliveMs }, answer)
    server.on('clientError', answerUnreadable)
    const connections = followConnections(server)
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(where instanceof Server ? error : listenError(error, where))
    })
    server.once('listening', () => {
      // A TCP server has an address of this kind.
      const { address, family, port } = server.address() as AddressInfo
      const name = family === 'IPv6' ? `[${address}]` : address
      resolve({
        url: `http://${name}:${port}`,
        accept(socket) {
          server.emit('connection', socket)
          socket.resume()
        },
        close: graceMs => closeServer(server, connections, graceMs),
      })
    })
    if (where instanceof Server) server.listen(where)
    else server.listen(where.port, where.host)
  })
}

/** Why nobody can listen there. */
export function listenError(
  error: NodeJS.ErrnoException,
  { host, port }: { host: string; port: number },
): CorunError {
  return error.code === 'EADDRINUSE'
    ? new CorunError('address-in-use', `${host}:${port} is taken by another process`)
    : new CorunError('invalid-config', `${host}:${port} cannot be listened on: ${error.message}`, {
        cause: error,
      })
}

const idleLookMs = 50
/** A connection that was opened just before may bring its request. */
const freshMs = 1000

/** The connections of a server, and which of them nobody waits on. */
function followConnections(server: NodeServer) {
  const answering = new Map<Socket, number>()
  server.on('connection', (socket: Socket) => {
    answering.set(socket, 0)
    socket.once('close', () => answering.delete(socket))
  })
  server.on('request', ({ socket }, response) => {
    answering.set(socket, (answering.get(socket) ?? 0) + 1)
    response.once('close', () => {
      const count = answering.get(socket)
      if (count !== undefined) answering.set(socket, count - 1)
    })
  })
  return {
    /** What has been handed to the system is not sent yet, where the peer is slow. */
    endIdle(since: number) {
      for (const [socket, count] of answering) {
        const fresh = socket.bytesRead === 0 && performance.now() - since < freshMs
        if (count === 0 && socket.writableLength === 0 && !fresh) socket.destroySoon()
      }
    },
    endAll() {
      for (const socket of answering.keys()) socket.destroy()
    },
  }
}

function closeServer(
  server: NodeServer,
  connections: ReturnType<typeof followConnections>,
  graceMs: number,
): Promise<void> {
  return new Promise(resolve => {
    const since = performance.now()
    // Connections that are kept alive would hold the socket open: those without a request, and those whose request ends.
    const timer = setInterval(() => connections.endIdle(since), idleLookMs)
    const patience = setTimeout(connections.endAll, graceMs)
    // Not as an HTTP server closes: that cuts off what is still being sent, and waits for ever for what never comes whole.
    Server.prototype.close.call(server, () => {
      clearInterval(timer)
      clearTimeout(patience)
      resolve()
    })
    connections.endIdle(since)
  })
}
