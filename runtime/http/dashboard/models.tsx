/** Models: which version serves, what came before it, and the way back. */
import type { ModelView } from '../../models/model-view.ts'
import { Action } from './action.tsx'
import { ago, share, shortHash } from './text.ts'

interface Props {
  models: readonly ModelView[]
  now: number
  onDone(): void
}

export function Models({ models, now, onDone }: Props) {
  if (models.length === 0) return null
  return (
    <section>
      <h2>Models</h2>
      {models.map(model => (
        <article key={model.id}>
          <header>
            <code>{model.id}</code>
            <span class="muted">
              {shortHash(model.current)} serves, {model.versions.length}{' '}
              {model.versions.length === 1 ? 'version' : 'versions'}
            </span>
            {model.rollbackTarget && (
              <Action
                label={`Roll back to ${shortHash(model.rollbackTarget)}`}
                path={`api/models/${model.id}/rollback`}
                question={`Roll ${model.id} back to ${shortHash(model.rollbackTarget)}?`}
                onDone={onDone}
              />
            )}
          </header>
          <Versions model={model} now={now} onDone={onDone} />
        </article>
      ))}
    </section>
  )
}

const shownVersions = 6

function Versions({ model, now, onDone }: { model: ModelView; now: number; onDone(): void }) {
  const newest = [...model.versions].reverse().slice(0, shownVersions)
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>Version</th>
            <th>State</th>
            <th>Made</th>
            <th>Held out</th>
            <th>Reference</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {newest.map(({ sha256, state, createdAt, source, metrics, kept, why }) => (
            <tr key={sha256}>
              <td title={sha256}>
                <code>{shortHash(sha256)}</code>
              </td>
              <td title={why ?? ''}>
                <span class={`state ${state}`}>{state}</span>
              </td>
              <td title={createdAt}>
                {ago(createdAt, now)}{' '}
                <span class="muted">{source === 'function' ? 'came with the function' : 'retrained'}</span>
              </td>
              <td>{share(metrics?.heldOut.accuracy)}</td>
              <td>{share(metrics?.reference.accuracy)}</td>
              <td>
                {kept && state !== 'current' && (
                  <Action
                    label="Promote"
                    path={`api/models/${model.id}/promote`}
                    body={{ version: sha256 }}
                    question={`Let ${shortHash(sha256)} serve as ${model.id}?`}
                    onDone={onDone}
                  />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
