/** The table of functions: what is deployed, how it fares, and what is wrong with it. */
import type { FunctionRow } from './api.ts'
import { count } from './text.ts'

export function Functions({ functions }: { functions: readonly FunctionRow[] }) {
  return (
    <section>
      <h2>Functions</h2>
      {functions.length === 0 && <p class="muted">None is deployed: put one into the functions folder.</p>}
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>Function</th>
              <th>State</th>
              <th>Version</th>
              <th class="number">In flight</th>
              <th class="number">Requests</th>
              <th class="number">Failed</th>
            </tr>
          </thead>
          <tbody>
            {functions.map(row => (
              <FunctionLines key={row.name} row={row} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

function FunctionLines({ row }: { row: FunctionRow }) {
  const { name, url, state, version, description, lastError, counters } = row
  const shown = lastError === undefined ? state : state === 'failed' ? 'failed' : 'error'
  return (
    <>
      <tr>
        <td>
          <code>{url}</code>
          {description && <div class="muted">{description}</div>}
        </td>
        <td>
          <span class={`state ${shown}`} title={name}>
            {shown === 'error' ? 'last good serves' : shown}
          </span>
        </td>
        <td>
          <code>{version ?? '–'}</code>
        </td>
        <td class="number">{count(counters.inFlight)}</td>
        <td class="number">{count(counters.ended)}</td>
        <td class="number">{count(counters.failed)}</td>
      </tr>
      {lastError && (
        <tr class="detail">
          <td colspan={6}>
            <strong>{lastError.code}</strong>
            <pre>{lastError.message}</pre>
          </td>
        </tr>
      )}
    </>
  )
}
