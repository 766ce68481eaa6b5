/** A button that asks the server to change something, and shows why it would not. */
import { useState } from 'hono/jsx/dom'
import { post } from './api.ts'

export interface ActionProps {
  label: string
  path: string
  body?: object
  /** Asked before it is done. */
  question?: string
  onDone(): void
}

export function Action({ label, path, body, question, onDone }: ActionProps) {
  const [busy, setBusy] = useState(false)
  const [failure, setFailure] = useState('')
  const run = async () => {
    if (question !== undefined && !confirm(question)) return
    setBusy(true)
    setFailure('')
    try {
      await post(path, body)
      onDone()
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <span class="action">
      <button type="button" disabled={busy} onClick={run}>
        {label}
      </button>
      {failure !== '' && <span class="failure">{failure}</span>}
    </span>
  )
}
