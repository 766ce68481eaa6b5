/** Retraining: when it runs next, how the run of now is getting on, and how the last ones ended. */
import type { RetrainingView } from '../../retraining/retraining-view.ts'
import type { RunRecord } from '../../retraining/run-record.ts'
import { Action } from './action.tsx'
import { ago, count, duration, share } from './text.ts'

interface Props {
  retraining: readonly RetrainingView[]
  now: number
  onDone(): void
}

export function Retraining({ retraining, now, onDone }: Props) {
  if (retraining.length === 0) return null
  return (
    <section>
      <h2>Retraining</h2>
      {retraining.map(view => (
        <article key={view.function}>
          <header>
            <code>{view.model}</code>
            <span class="muted">
              {view.schedule === null ? 'by hand' : `schedule ${view.schedule}`}
              {view.nextRunAt !== null && `, next ${ago(view.nextRunAt, now)}`}
            </span>
            <Actions view={view} onDone={onDone} />
          </header>
          {view.active && <Progress run={view.active} />}
          <Runs runs={view.runs} now={now} />
        </article>
      ))}
    </section>
  )
}

function Actions({ view, onDone }: { view: RetrainingView; onDone(): void }) {
  const path = `api/retraining/${view.function}`
  const { active } = view
  if (active === null) return <Action label="Run now" path={`${path}/run`} onDone={onDone} />
  return (
    <>
      {active.paused ? (
        <Action label="Resume" path={`${path}/resume`} onDone={onDone} />
      ) : (
        <Action label="Pause" path={`${path}/pause`} onDone={onDone} />
      )}
      <Action label="Cancel" path={`${path}/cancel`} question="Cancel this run?" onDone={onDone} />
    </>
  )
}

function Progress({ run }: { run: RunRecord }) {
  const { progress, state, paused, losses } = run
  return (
    <div class="progress">
      <span class={`state ${state}`}>{paused ? 'paused' : state}</span>
      {progress && (
        <>
          <progress value={progress.step} max={progress.steps} aria-label="training steps" />
          <span>
            epoch {progress.epoch} of {progress.epochs}, step {count(progress.step)} of{' '}
            {count(progress.steps)}, loss {progress.loss.toPrecision(3)}
          </span>
        </>
      )}
      <Curve values={losses} />
    </div>
  )
}

/** Mean losses of the epochs, as a line without axes. */
function Curve({ values }: { values: readonly number[] }) {
  if (values.length < 2) return null
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const x = (index: number) => 2 + (116 * index) / (values.length - 1)
  const y = (value: number) => 26 - (24 * (value - low)) / (high - low || 1)
  const points = values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
  return (
    <svg class="curve" viewBox="0 0 120 28" role="img">
      <title>{`loss by epoch, ${high.toPrecision(3)} to ${values.at(-1)?.toPrecision(3)}`}</title>
      <polyline points={points} />
    </svg>
  )
}

function Runs({ runs, now }: { runs: readonly RunRecord[]; now: number }) {
  if (runs.length === 0) return <p class="muted">It has not run yet.</p>
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>Run</th>
            <th>Outcome</th>
            <th>Held-out accuracy</th>
            <th>Reference</th>
            <th class="number">Took</th>
            <th>Why</th>
          </tr>
        </thead>
        <tbody>
          {runs.slice(0, 5).map(run => (
            <tr key={run.id}>
              <td title={run.startedAt}>
                {ago(run.startedAt, now)} <span class="muted">by {run.by}</span>
              </td>
              <td>
                <span class={`state ${run.state}`}>{run.state}</span> <Curve values={run.losses} />
              </td>
              <td>{change(run, 'heldOut')}</td>
              <td>{change(run, 'reference')}</td>
              <td class="number">{duration(run.seconds)}</td>
              <td class="why">{run.error?.message ?? run.decision?.reasons.join('; ') ?? ''}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function change({ before, after }: RunRecord, on: 'heldOut' | 'reference'): string {
  return before && after ? `${share(before[on].accuracy)} → ${share(after[on].accuracy)}` : '–'
}
