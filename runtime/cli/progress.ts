/** How far a long command has come: a bar on a terminal, plain lines elsewhere. Always on standard error. */

export interface ProgressState {
  done: number
  /** No more than this will be done. */
  most: number
  elapsedMs: number
}

const barWidth = 24

/** `[######------]  6 of at most 24, about 1m 40s left`: the time is that of the steps so far. Pure. */
export function progressText({ done, most, elapsedMs }: ProgressState): string {
  const share = most === 0 ? 1 : Math.min(1, done / most)
  const filled = Math.round(share * barWidth)
  const bar = `[${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}]`
  const left = done === 0 ? '' : `, at most ${durationText((elapsedMs / done) * (most - done))} left`
  return `${bar} ${done} of at most ${most}${left}`
}

export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000)
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

export interface ProgressLine {
  /** A line of its own, above the bar where there is one. */
  say(text: string): void
  update(state: ProgressState): void
  close(): void
}

const clearLine = '\r\x1b[2K'

export function openProgress(stream: NodeJS.WriteStream): ProgressLine {
  let shown = ''
  const show = (text: string) => {
    shown = text
    if (stream.isTTY) stream.write(`${clearLine}${text}`)
  }
  return {
    say(text) {
      stream.write(stream.isTTY ? `${clearLine}${text}\n${shown}` : `${text}\n`)
    },
    update: state => show(progressText(state)),
    close: () => show(''),
  }
}
