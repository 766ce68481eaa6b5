/** `GET /`: the dashboard's page and its two files, as the build left them. What it shows comes from the API. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Hono } from 'hono'
import { etag } from 'hono/etag'
import { secureHeaders } from 'hono/secure-headers'
import { dashboardFolder } from '../core/package-root.ts'
import type { HttpEnv } from './context.ts'

const pages = [
  { path: '/', file: 'page.html', type: 'text/html; charset=utf-8' },
  { path: '/dashboard/main.js', file: 'main.js', type: 'text/javascript; charset=utf-8' },
  { path: '/dashboard/main.css', file: 'main.css', type: 'text/css; charset=utf-8' },
]

/** Nothing of the page comes from elsewhere, and no other page may frame it. */
const contentSecurityPolicy = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  connectSrc: ["'self'"],
  imgSrc: ['data:'],
  frameAncestors: ["'none'"],
}

/** `folder`: of the built files. */
export function dashboardPage(folder = dashboardFolder): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  for (const { path, file, type } of pages) {
    app.get(path, secureHeaders({ contentSecurityPolicy, strictTransportSecurity: false }), etag(), async c =>
      c.body(await readFile(join(folder, file)), 200, { 'content-type': type, 'cache-control': 'no-cache' }),
    )
  }
  return app
}
