/** A line chart as SVG text: axes with units and round ticks, one line a series, reference marks, a legend. Pure. */

export interface Series {
  name: string
  /** A class of the page's style, which gives the colour in light and dark. */
  style: string
  /** By ascending x. */
  points: readonly { x: number; y: number }[]
  dashed?: boolean
}

/** A point of the chart that has a meaning of its own. */
export interface Mark {
  x: number
  y: number
  text: string
  style: string
}

export interface Chart {
  title: string
  x: string
  /** With its unit. */
  y: string
  series: readonly Series[]
  /** Levels that hold for every x, such as a bound. */
  levels?: readonly { y: number; text: string }[]
  marks?: readonly Mark[]
}

const size = { width: 520, height: 320 }
const margin = { left: 62, right: 18, top: 38, bottom: 76 }
const inner = {
  width: size.width - margin.left - margin.right,
  height: size.height - margin.top - margin.bottom,
}

export function chartSvg({ title, x, y, series, levels = [], marks = [] }: Chart): string {
  const known = [...series.flatMap(({ points }) => points), ...marks]
  const xs = [...new Set(known.map(point => point.x))].sort((a, b) => a - b)
  const [least = 0, most = 1] = [xs[0], xs.at(-1)]
  const top = niceTop(Math.max(...known.map(point => point.y), ...levels.map(level => level.y), 0))
  const scaleX = (value: number) =>
    margin.left + (most === least ? inner.width / 2 : ((value - least) / (most - least)) * inner.width)
  const scaleY = (value: number) => margin.top + inner.height - (value / top) * inner.height
  const at = (point: { x: number; y: number }) => `${round(scaleX(point.x))},${round(scaleY(point.y))}`
  const [left, right, bottom] = [margin.left, margin.left + inner.width, margin.top + inner.height]
  const parts = [
    `<text class="title" x="${left}" y="20">${escapeText(title)}</text>`,
    ...ticks(top).map(
      value =>
        `<line class="grid" x1="${left}" x2="${right}" y1="${round(scaleY(value))}" y2="${round(scaleY(value))}"/>` +
        `<text class="tick" x="${left - 8}" y="${round(scaleY(value) + 4)}" text-anchor="end">${number(value)}</text>`,
    ),
    ...xTicks(xs).map(
      value =>
        `<text class="tick" x="${round(scaleX(value))}" y="${bottom + 18}" text-anchor="middle">${number(value)}</text>`,
    ),
    `<line class="axis" x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`,
    `<text class="label" x="${left + inner.width / 2}" y="${bottom + 36}" text-anchor="middle">${escapeText(x)}</text>`,
    `<text class="label" transform="translate(15 ${margin.top + inner.height / 2}) rotate(-90)" text-anchor="middle">${escapeText(y)}</text>`,
    ...levels.map(
      level =>
        `<line class="level" x1="${left}" x2="${right}" y1="${round(scaleY(level.y))}" y2="${round(scaleY(level.y))}"/>` +
        `<text class="note" x="${right}" y="${round(scaleY(level.y) - 5)}" text-anchor="end">${escapeText(level.text)}</text>`,
    ),
    ...series.map(
      ({ style, points, dashed }) =>
        `<polyline class="line ${style}${dashed ? ' dashed' : ''}" points="${points.map(at).join(' ')}"/>` +
        points
          .map(
            point =>
              `<circle class="dot ${style}" cx="${round(scaleX(point.x))}" cy="${round(scaleY(point.y))}" r="3.5"><title>${number(point.x)}: ${number(point.y)}</title></circle>`,
          )
          .join(''),
    ),
    ...marks.map(
      mark =>
        `<circle class="mark ${mark.style}" cx="${round(scaleX(mark.x))}" cy="${round(scaleY(mark.y))}" r="7"><title>${escapeText(mark.text)}</title></circle>`,
    ),
    legend(series, bottom + 56),
  ]
  return `<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escapeText(title)}">${parts.join('')}</svg>`
}

/** Side by side, in as many columns as there are series. */
function legend(series: readonly Series[], y: number): string {
  const width = inner.width / Math.max(1, series.length)
  return series
    .map(({ name, style, dashed }, index) => {
      const x = round(margin.left + index * width)
      return (
        `<line class="line ${style}${dashed ? ' dashed' : ''}" x1="${x}" x2="${x + 22}" y1="${y}" y2="${y}"/>` +
        `<text class="tick" x="${x + 28}" y="${y + 4}">${escapeText(name)}</text>`
      )
    })
    .join('')
}

/** The step between ticks: 1, 2 or 5 times a power of ten, for about five of them. */
function tickStep(most: number): number {
  const rough = most / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const digit = [1, 2, 5, 10].find(candidate => candidate * power >= rough) ?? 10
  return digit * power
}

/** The first tick at or over what is shown. */
export function niceTop(most: number): number {
  if (!(most > 0)) return 1
  const step = tickStep(most)
  return Math.ceil(most / step - 1e-9) * step
}

/** Round values from 0 up to `top`. */
export function ticks(top: number): number[] {
  const step = tickStep(top)
  return Array.from({ length: Math.round(top / step) + 1 }, (_, index) =>
    Number((index * step).toPrecision(12)),
  )
}

/** Not more than fit side by side: the first and the last are among them. */
function xTicks(xs: readonly number[]): number[] {
  const stride = Math.ceil(xs.length / 10)
  return xs.filter((_, index) => index % stride === 0 || index === xs.length - 1)
}

const round = (value: number) => Math.round(value * 10) / 10
const number = (value: number) => String(Number(value.toPrecision(4)))

export const escapeText = (text: string): string =>
  text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
