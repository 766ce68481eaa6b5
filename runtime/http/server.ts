/** The listening socket: opens the port, says where, and closes without cutting off an answer. */
import type { AddressInfo } from 'node:net'
import { type ServerType, serve } from '@hono/node-server'
import type { Hono } from 'hono'
import { CorunError } from '../core/errors.ts'
import type { HttpEnv } from './context.ts'

export interface HttpServer {
  /** `http://host:port`, with the port that was really taken. */
  url: string
  /** Takes no new connections; resolves when the open ones have had their answers. */
  close(): Promise<void>
}

export function listen(app: Hono<HttpEnv>, options: { host: string; port: number }): Promise<HttpServer> {
  const { host, port } = options
  return new Promise((resolve, reject) => {
    const server: ServerType = serve({ fetch: app.fetch, hostname: host, port }, (address: AddressInfo) => {
      const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
      resolve({ url: `http://${name}:${address.port}`, close: () => closeServer(server) })
    })
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return reject(error)
      reject(new CorunError('address-in-use', `${host}:${port} is taken by another process`))
    })
  })
}

function closeServer(server: ServerType): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve())
    // Keep-alive connections without a request would hold the socket open for ever.
    if ('closeIdleConnections' in server) server.closeIdleConnections()
  })
}
