/** The dashboard: asks the server every two seconds, and shows what it says. */
import 'uplot/dist/uPlot.min.css'
import './main.css'
import { render, useEffect, useRef, useState } from 'hono/jsx/dom'
import { fetchOverview, type Overview } from './api.ts'
import { Chart } from './chart.tsx'
import { Functions } from './functions.tsx'
import { type Point, pointBetween, withPoint } from './history.ts'
import { Models } from './models.tsx'
import { Retraining } from './retraining.tsx'
import { milliseconds } from './text.ts'

const everyMs = 2000
/** Ten minutes. */
const mostPoints = 300

interface View {
  overview?: Overview
  points: Point[]
  /** Why the last look failed. */
  lost?: string
}

function App() {
  const [view, setView] = useState<View>({ points: [] })
  const looking = useRef(false)
  const look = async () => {
    // A slow answer is waited for; a page that nobody looks at asks nothing.
    if (looking.current || document.hidden) return
    looking.current = true
    try {
      const overview = await fetchOverview(Date.now)
      setView(({ overview: before, points }) => ({
        overview,
        points: before
          ? withPoint(points, pointBetween(before.snapshot, overview.snapshot), mostPoints)
          : points,
      }))
    } catch (error) {
      const lost = error instanceof Error ? error.message : String(error)
      setView(({ lost: _before, ...rest }) => ({ ...rest, lost }))
    } finally {
      looking.current = false
    }
  }
  useEffect(() => {
    void look()
    const timer = setInterval(look, everyMs)
    document.addEventListener('visibilitychange', look)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', look)
    }
  }, [])

  const { overview, points, lost } = view
  if (!overview) return <p class="muted">{lost ? `The server does not answer: ${lost}` : 'Loading …'}</p>
  const now = overview.snapshot.at
  return (
    <>
      <Header overview={overview} lost={lost} />
      <main>
        <Charts points={points} />
        <Functions functions={overview.functions} />
        <Retraining retraining={overview.retraining} now={now} onDone={look} />
        <Models models={overview.models} now={now} onDone={look} />
      </main>
    </>
  )
}

function Header({
  overview: { profile, snapshot, notReady },
  lost,
}: {
  overview: Overview
  lost: string | undefined
}) {
  const { p95Ms, boundMs, heldBack } = profile.limits
  const [state, what] = lost
    ? ['failed', 'the server does not answer']
    : notReady
      ? ['preparing', notReady]
      : ['ready', 'ready']
  return (
    <header class="top">
      <h1>Corun</h1>
      <span class={`state ${state}`} role="status">
        {what}
      </span>
      {profile.training && <span class="state training">training beside</span>}
      <dl>
        <Fact name="Slots" value={`${snapshot.busy} of ${profile.slots}`} title={profile.reason} />
        <Fact name="Batch" value={`up to ${profile.batch}`} title={profile.reason} />
        <Fact name="Queue" value={`${snapshot.queued} of ${profile.queueLimit}`} title="Requests that wait" />
        <Fact
          name="p95 of runs"
          value={`${milliseconds(p95Ms)}${boundMs === null ? '' : ` of ${milliseconds(boundMs)}`}`}
          title={
            boundMs === null ? 'No profile, so no bound: corun profile measures one' : 'Bound of the profile'
          }
        />
        {heldBack > 0 && <Fact name="Held back" value={`${heldBack} slots`} title="p95 was over its bound" />}
      </dl>
    </header>
  )
}

function Fact({ name, value, title }: { name: string; value: string; title: string }) {
  return (
    <div title={title}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}

function Charts({ points }: { points: readonly Point[] }) {
  const times = points.map(({ at }) => at)
  const of = (pick: (point: Point) => number | null) => points.map(pick)
  return (
    <div class="charts">
      <Chart
        title="Requests"
        unit="/s"
        times={times}
        series={[
          { label: 'answered', color: '--good', fill: true, values: of(point => point.okPerSecond) },
          { label: 'failed', color: '--bad', values: of(point => point.failedPerSecond) },
        ]}
      />
      <Chart
        title="Latency"
        unit="ms"
        times={times}
        series={[
          { label: 'run p50', color: '--calm', values: of(point => point.runP50) },
          { label: 'run p95', color: '--accent', values: of(point => point.runP95) },
          { label: 'queue p95', color: '--warn', values: of(point => point.queueP95) },
        ]}
      />
      <Chart
        title="Slots"
        unit=""
        times={times}
        series={[
          { label: 'limit', color: '--muted', values: of(point => point.slots) },
          { label: 'busy', color: '--accent', fill: true, values: of(point => point.busy) },
          { label: 'waiting', color: '--warn', values: of(point => point.queued) },
          { label: 'training', color: '--train', values: of(point => (point.training ? 1 : 0)) },
        ]}
      />
    </div>
  )
}

const place = document.getElementById('app')
if (place) render(<App />, place)
