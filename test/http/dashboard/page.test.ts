/** The dashboard as served, and as Chromium shows it; without Chromium that part is skipped and says so. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { packageRoot } from '../../../runtime/core/package-root.ts'
import { dashboardPage } from '../../../runtime/http/dashboard-page.ts'
import { startServer } from '../../../scripts/demo/server-process.ts'

const test = suite('http/dashboard/page')

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

test('the page lets in nothing from elsewhere, and is not sent again while it is the same', async () => {
  const app = dashboardPage()
  const first = await app.request('/')
  assert.is(first.status, 200)
  assert.match(first.headers.get('content-type') ?? '', /^text\/html/)
  assert.match(first.headers.get('content-security-policy') ?? '', /default-src 'none'/)
  const page = await first.text()
  assert.not.match(page, /https?:\/\//)
  for (const file of ['dashboard/main.js', 'dashboard/main.css']) {
    assert.ok(page.includes(file))
    assert.is((await app.request(`/${file}`)).status, 200)
  }
  const known = first.headers.get('etag') ?? ''
  assert.is((await app.request('/', { headers: { 'if-none-match': known } })).status, 304)
})

if (existsSync(executablePath)) {
  test('Chromium shows the functions, counts a request, and starts nothing that its policy forbids', async () => {
    const data = await mkdtemp(join(tmpdir(), 'corun-test-'))
    const server = await startServer([
      ...['--port', '0', '--data', data],
      ...['--functions', join(packageRoot, 'functions'), '--profiles', join(data, 'none')],
    ])
    const browser = await chromium.launch({
      executablePath,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
      ],
    })
    try {
      const page = await browser.newPage({ viewport: { width: 1200, height: 900 } })
      page.setDefaultTimeout(120_000)
      const complaints: string[] = []
      page.on('console', message => {
        if (message.type() === 'error') complaints.push(message.text())
      })
      page.on('pageerror', error => complaints.push(error.message))
      await page.goto(server.url)
      await page.getByText('/fn/hello', { exact: true }).waitFor()
      assert.is((await fetch(`${server.url}/fn/hello`)).status, 200)
      const row = page.locator('tr', { has: page.getByText('/fn/hello', { exact: true }) })
      await row.locator('td:nth-child(5)', { hasText: '1' }).waitFor()
      assert.is(await page.locator('canvas').count(), 3)
      await page
        .getByRole('article')
        .filter({ hasText: 'text-orientation.orientation' })
        .getByRole('button', { name: 'Run now' })
        .click()
      // Too few samples: the reason is shown where it was asked for.
      await page.getByText(/too-few-samples/).waitFor()
      const expected = /409 \(Conflict\)/
      assert.equal(
        complaints.filter(text => !expected.test(text)),
        [],
      )
    } finally {
      await browser.close()
      await server.stop()
      await rm(data, { recursive: true, force: true })
    }
  })
} else {
  console.log(`skipped: no ${executablePath}; CHROMIUM may name a browser for the dashboard's test`)
}

test.run()
